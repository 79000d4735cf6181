/**
 * Attention to a cache: contexts are encoded, then the tokens behind them follow in two steps, which makes the caches
 * grow. What comes out is attention over the whole examples.
 */

import type { NativeCacheRows, NativeDevice } from '../../ts/native.js';
import { rotaryTable } from '../../ts/model/rotary.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import { attention, type AttentionInputs } from '../support/reference/attention.js';
import { Matrix } from '../support/reference/matrix.js';
import { attentionHeads, packedBatches, type Example } from '../support/sizes.js';
import {
  poisonFreeMemory,
  randomMatrix,
  tokensOf,
  upload,
  uploadBatch,
  type ActivationType,
} from '../support/tensors.js';

const positions = 40;
const layers = 2;

interface Options {
  rotary?: boolean;
  type?: ActivationType;
}

/** Tokens [begin, end) of an example, which is the `index`-th and starts at `offset` of the batch. */
interface Part {
  index: number;
  example: Example;
  offset: number;
  begin: number;
  end: number;
}

/** What the examples bring to each step. */
function stepsOf(examples: readonly Example[]): Part[][] {
  let offset = 0;
  const steps: Part[][] = [[], [], []];
  for (const [index, example] of examples.entries()) {
    const { length, context } = example;
    const ends = [0, context, context + Math.ceil((length - context) / 3), length];
    steps.forEach((parts, step) => {
      const [begin = 0, end = 0] = ends.slice(step, step + 2);
      if (end > begin) parts.push({ index, example, offset, begin, end });
    });
    offset += length;
  }
  return steps;
}

/** The rows of the batch that the parts are. */
function rowsOf(parts: readonly Part[]): number[] {
  return parts.flatMap(({ offset, begin, end }) =>
    Array.from({ length: end - begin }, (_, i) => offset + begin + i),
  );
}

function pick(matrix: Matrix, rows: readonly number[]): Matrix {
  return Matrix.build(rows.length, matrix.columns, (i, j) => matrix.get(rows[i] as number, j));
}

/** Tokens see the context, which is shared, and those between it and themselves. */
function cacheRows(parts: readonly Part[]): NativeCacheRows {
  const tokens = parts.flatMap(({ example, begin, end }) =>
    Array.from({ length: end - begin }, (_, i) => ({ slot: begin + i, context: example.context })),
  );
  const seen = tokens.map(({ slot, context }) =>
    Array.from({ length: slot + 1 - context }, (_, i) => context + i),
  );
  const seenOffsets = [0];
  for (const { length } of seen) seenOffsets.push((seenOffsets.at(-1) ?? 0) + length);
  return {
    slots: Int32Array.from(tokens, ({ slot }) => slot),
    shared: Int32Array.from(parts, ({ example }) => example.context),
    seenOffsets: Int32Array.from(seenOffsets),
    seen: Int32Array.from(seen.flat()),
  };
}

function attentionCachedCase(
  examples: readonly Example[],
  [heads, headWidth]: readonly [number, number],
  { type = 'float32', rotary }: Options = {},
): OpCase {
  const tokens = tokensOf(examples);
  const random = new TestRandom(tokens * 1000 + headWidth);
  const inputs: AttentionInputs = {
    examples,
    heads,
    qkv: randomMatrix(random, tokens, 3 * heads * headWidth, type),
    rotary: rotary ? new Matrix(positions, headWidth / 2, rotaryTable(positions, headWidth)) : undefined,
    positions: random.integers(tokens, positions),
    blockPositions: random.integers(tokens, positions),
  };
  const steps = stepsOf(examples);
  const names = ['encoded', 'begun', 'ended'];
  const shape = examples.map(({ length, context }) => `${context} of ${length}`).join(' + ');

  function run(device: NativeDevice) {
    const table = inputs.rotary && upload(device, inputs.rotary, { shape: [positions, headWidth / 4, 2] });
    const caches = examples.map(() => device.keyValueCache({ layers, heads, headWidth, dtype: type }));
    const results: ReturnType<OpCase['run']> = {};
    for (const [step, parts] of steps.entries()) {
      if (parts.length === 0) continue;
      const rows = rowsOf(parts);
      const batch = uploadBatch(
        device,
        parts.map(({ begin, end }) => ({ length: end - begin, context: step === 0 ? end - begin : 0 })),
        {
          positions: Int32Array.from(rows, (row) => inputs.positions[row] ?? 0),
          blockPositions: Int32Array.from(rows, (row) => inputs.blockPositions[row] ?? 0),
        },
      );
      const qkv = upload(device, pick(inputs.qkv, rows), { type });
      poisonFreeMemory(device);
      const used = parts.map(({ index }) => caches[index] as (typeof caches)[number]);
      const cacheStep = device.cacheStep(batch, used, step === 0 ? undefined : cacheRows(parts));
      results[names[step] as string] = device.attentionCached(cacheStep, layers - 1, qkv, table).read();
    }
    for (const cache of caches) cache.dispose();
    return results;
  }

  return {
    name: `${shape}, ${heads} × ${headWidth}${rotary ? ', rotary' : ''}`,
    type,
    run,
    reference: (precision) => {
      const out = attention(inputs, precision);
      const results: Record<string, Matrix> = {};
      for (const [step, parts] of steps.entries()) {
        if (parts.length > 0) results[names[step] as string] = pick(out, rowsOf(parts));
      }
      return results;
    },
  };
}

const ragged = packedBatches[2] as readonly Example[];
const long = packedBatches[3] as readonly Example[];

opTable('attention to a cache', [
  ...packedBatches.map((examples) => attentionCachedCase(examples, [2, 16])),
  ...attentionHeads.map((heads) => attentionCachedCase(ragged, heads)),
  attentionCachedCase(long, [2, 64], { type: 'bfloat16' }),
  attentionCachedCase(ragged, [1, 128], { type: 'bfloat16' }),
  attentionCachedCase(long, [3, 13], { type: 'bfloat16' }),
  attentionCachedCase(long, [2, 16], { rotary: true }),
  attentionCachedCase(long, [1, 64], { rotary: true, type: 'bfloat16' }),
]);
