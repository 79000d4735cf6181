/** Matrices of the references, to and from a device. */

import type { DType, HostArray, NativeBatch, NativeDevice, NativeTensor } from '../../ts/native.js';
import { Matrix } from './reference/matrix.js';
import { bfloat16Bits, fromBfloat16Bits, toBfloat16 } from './reference/precision.js';
import type { TestRandom } from './random.js';
import type { Example } from './sizes.js';

/** The types that ops compute with. */
export type ActivationType = 'float32' | 'bfloat16';

/** Normal numbers that the type holds exactly. */
export function randomMatrix(
  random: TestRandom,
  rows: number,
  columns: number,
  type: ActivationType = 'float32',
  deviation = 1,
): Matrix {
  const round = type === 'bfloat16' ? toBfloat16 : Math.fround;
  return Matrix.build(rows, columns, () => round(random.normal() * deviation));
}

/** The matrix as a tensor, [rows, columns] unless `shape` says otherwise. */
export function upload(
  device: NativeDevice,
  matrix: Matrix,
  { type = 'float32', gradient = false, shape }: { type?: DType; gradient?: boolean; shape?: number[] } = {},
): NativeTensor {
  const values =
    type === 'bfloat16' ? Uint16Array.from(matrix.data, bfloat16Bits) : Float32Array.from(matrix.data);
  return device.tensor(shape ?? [matrix.rows, matrix.columns], type, values, gradient);
}

/** A tensor of one dimension. */
export function uploadVector(device: NativeDevice, matrix: Matrix, gradient = false): NativeTensor {
  return upload(device, matrix, { gradient, shape: [matrix.data.length] });
}

/** Runs `body`, which must not wait for anything, and disposes the tensors that it made. What it reads still arrives. */
export function disposing<T>(device: NativeDevice, body: () => T): T {
  device.openScope();
  try {
    return body();
  } finally {
    device.closeScope([], false);
  }
}

export function numbers(array: HostArray): Float64Array {
  return array instanceof Uint16Array ? Float64Array.from(array, fromBfloat16Bits) : Float64Array.from(array);
}

/** What the tokens of a batch are, beyond its examples. */
export interface BatchContents {
  ids?: Int32Array;
  positions?: Int32Array;
  blockPositions?: Int32Array;
  rows?: Int32Array;
  targets?: Int32Array | undefined;
  weights?: Float32Array | undefined;
  vocabulary?: number;
  /** Trained prompts, whose ids are behind the vocabulary. */
  prompts?: number;
}

/** A batch of these examples; what is left out is zero. */
export function uploadBatch(
  device: NativeDevice,
  examples: readonly Example[],
  contents: BatchContents = {},
): NativeBatch {
  const offsets = [0];
  for (const { length } of examples) offsets.push((offsets.at(-1) ?? 0) + length);
  const zeros = new Int32Array(offsets.at(-1) ?? 0);
  return device.batch(
    {
      ids: contents.ids ?? zeros,
      positions: contents.positions ?? zeros,
      blockPositions: contents.blockPositions ?? zeros,
      offsets: Int32Array.from(offsets),
      contextLengths: Int32Array.from(examples, ({ context }) => context),
      rows: contents.rows ?? new Int32Array(0),
      targets: contents.targets,
      weights: contents.weights,
    },
    {
      vocabulary: contents.vocabulary ?? 1,
      prompts: contents.prompts ?? 0,
      positions: rowsFor(contents.positions),
      blockPositions: rowsFor(contents.blockPositions),
    },
  );
}

/** Rows of the smallest table that has these positions. */
function rowsFor(positions: Int32Array = zero): number {
  return positions.reduce((rows, position) => Math.max(rows, position + 1), 1);
}

const zero = new Int32Array(1);

export function tokensOf(examples: readonly Example[]): number {
  return examples.reduce((sum, { length }) => sum + length, 0);
}

const poisonBits = new Uint32Array(1 << 18).fill(0x7fc07fc0); // NaN as float32, and twice NaN as bfloat16
const poison = new Float32Array(poisonBits.buffer);

/** Fills the memory that the next tensors will get with NaN: an op that reads or leaves what was there gives NaN. */
export function poisonFreeMemory(device: NativeDevice): void {
  const tensors: NativeTensor[] = [];
  for (const [count, elements] of [
    [1, poison.length],
    [8, 64], // the holes that the allocator's rounding leaves
  ] as const) {
    for (let i = 0; i < count; i++)
      tensors.push(device.tensor([elements], 'float32', poison.subarray(0, elements), false));
  }
  for (const tensor of tensors) tensor.dispose();
}
