/** Numbers made by the original implementation: from test/golden, or, for large files, from ../shared/golden. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Batch } from '../../ts/data/batch.js';
import { SafetensorsFile } from '../../ts/io/safetensors.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const folders = [path.join(here, '../golden'), path.join(here, '../../../shared/golden')];

/** The path of a golden file, or undefined where it is not at hand. */
export function findGolden(name: string): string | undefined {
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

export function goldenPath(name: string): string {
  const file = findGolden(name);
  if (file === undefined) throw new Error(`no golden file ${name} in ${folders.join(' or ')}`);
  return file;
}

export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(goldenPath(name), 'utf8')) as T;
}

/** A golden safetensors file, read whole. */
export class GoldenTensors {
  readonly names: string[];
  private readonly numbers: Map<string, Float32Array | number[]>;
  private readonly shapes: Map<string, number[]>;

  private constructor(numbers: Map<string, Float32Array | number[]>, shapes: Map<string, number[]>) {
    this.names = [...numbers.keys()];
    this.numbers = numbers;
    this.shapes = shapes;
  }

  static async open(name: string): Promise<GoldenTensors> {
    const file = await SafetensorsFile.open(goldenPath(name));
    const numbers = new Map<string, Float32Array | number[]>();
    const shapes = new Map<string, number[]>();
    for (const entry of file.entries.values()) {
      shapes.set(entry.name, [...entry.shape]);
      const value =
        entry.type === 'I64'
          ? Array.from(new BigInt64Array((await file.read(entry)).buffer), Number)
          : await file.readFloats(entry);
      numbers.set(entry.name, value);
    }
    await file.close();
    return new GoldenTensors(numbers, shapes);
  }

  integers(name: string): number[] {
    const value = this.numbers.get(name);
    if (!Array.isArray(value)) throw new Error(`no integer tensor ${name}`);
    return value;
  }

  floats(name: string): Float32Array {
    const value = this.numbers.get(name);
    if (!(value instanceof Float32Array)) throw new Error(`no float tensor ${name}`);
    return value;
  }

  shape(name: string): number[] {
    const shape = this.shapes.get(name);
    if (shape === undefined) throw new Error(`no tensor ${name}`);
    return shape;
  }

  /** A padded batch [B, T] of the original, packed: a row ends at `lengths`, or else at its last loss token. */
  batch(prefix: string, lengths?: number[]): Batch {
    const width = this.shape(`${prefix}ids`)[1] as number;
    const rows = this.shape(`${prefix}ids`)[0] as number;
    const padded = (name: string, row: number) =>
      this.integers(`${prefix}${name}`).slice(row * width, (row + 1) * width);
    const examples = Array.from({ length: rows }, (_, row) => {
      const length = lengths?.[row] ?? padded('loss_mask', row).lastIndexOf(1) + 1;
      const part = (name: string) => padded(name, row).slice(0, length);
      return { length, part };
    });
    const packed = (name: string) => examples.flatMap(({ part }) => part(name));
    const offsets = [0];
    for (const { length } of examples) offsets.push((offsets.at(-1) as number) + length);
    return {
      ids: Int32Array.from(packed('ids')),
      positions: Int32Array.from(packed('position_ids')),
      blockPositions: Int32Array.from(packed('block_position_ids')),
      offsets: Int32Array.from(offsets),
      contextLengths: Int32Array.from(this.integers(`${prefix}sep`)),
      targets: Int32Array.from(packed('targets')),
      lossMask: Uint8Array.from(packed('loss_mask')),
    };
  }
}
