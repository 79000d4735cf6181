/**
 * Attention by GLM's rule, and its gradients, against PyTorch's scaled_dot_product_attention and FlexAttention with the
 * same mask, in turn: `npm run bench -- attention --python V/bin/python`. Head width 64, 12 heads, 4,096 tokens in all.
 *
 * Useful operations: 4 · 64 for each head and each pair that may see each other, 2.5 times that in the backward. The ceiling is
 * a plain matrix product in the same run: 2,048 × 2,048 × 2,048.
 */

import { parseArgs } from 'node:util';

import { native, type NativeBatch } from '../ts/native.js';
import { Peer } from './support/peer.js';
import { report } from './support/report.js';
import { median } from './support/statistics.js';

const { values: options } = parseArgs({
  options: {
    dtype: { type: 'string', default: 'float32,bfloat16' },
    lengths: { type: 'string', default: '512,1024,2048,4096' },
    contexts: { type: 'string', default: '0.85,0' },
    threads: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '5' },
    python: { type: 'string' },
    flex: { type: 'boolean', default: false },
  },
});
const threads = Number(options.threads);
const repeats = Number(options.repeats);
const [heads, width, tokens] = [12, 64, 4096];
type DType = 'float32' | 'bfloat16';

const device = new native.NativeDevice({ threads });
const noise = Float32Array.from(
  { length: 2 ** 25 },
  (_, i) => ((Math.imul(i, 2654435761) >>> 8) % 201) / 100 - 1,
);
const halfNoise = Uint16Array.from(new Uint32Array(noise.buffer), (bits) => bits >>> 16);
const matrix = (rows: number, columns: number, dtype: DType, requiresGradient: boolean) =>
  device.tensor(
    [rows, columns],
    dtype,
    (dtype === 'float32' ? noise : halfNoise).subarray(0, rows * columns),
    requiresGradient,
  );

/** Milliseconds of `forward`, and of it with its backward. */
async function milliseconds(
  dtype: DType,
  [rows, columns, outColumns]: [number, number, number],
  forward: (x: ReturnType<typeof matrix>) => ReturnType<typeof matrix>,
): Promise<[number, number]> {
  device.openScope();
  try {
    const x = matrix(rows, columns, dtype, true);
    const gradient = matrix(rows, outColumns, dtype, false);
    await device.synchronize();
    let started = performance.now();
    forward(x);
    await device.synchronize();
    const alone = performance.now() - started;
    device.beginTape();
    started = performance.now();
    const y = forward(x);
    device.backward(y, gradient);
    await device.synchronize();
    const both = performance.now() - started;
    device.endTape();
    return [alone, both];
  } finally {
    device.closeScope([], false);
  }
}

function batchOf(examples: number, length: number, context: number): NativeBatch {
  const each = (value: (place: number) => number) =>
    Int32Array.from({ length: examples * length }, (_, i) => value(i % length));
  return device.batch(
    {
      ids: each(() => 0),
      positions: each((place) => Math.min(place, context)),
      blockPositions: each((place) => Math.max(0, place - context)),
      offsets: Int32Array.from({ length: examples + 1 }, (_, i) => i * length),
      contextLengths: new Int32Array(examples).fill(context),
      rows: new Int32Array(0),
    },
    { vocabulary: 1, positions: length + 1, blockPositions: length + 1 },
  );
}

const peer =
  options.python === undefined
    ? undefined
    : new Peer(options.python, [`${import.meta.dirname}/peers/torch_attention.py`, String(threads)], {
        OMP_WAIT_POLICY: 'PASSIVE',
      });
const versions = await peer?.ask<object>();
const kinds = options.flex ? (['sdpa', 'flex'] as const) : (['sdpa'] as const);
/** How many times as long the other takes; undefined where it cannot do it. */
const ratio = (others: number[], own: number[]) =>
  others.length > 0 ? median(others) / median(own) : undefined;
const rows = [];
for (const dtype of options.dtype.split(',') as DType[]) {
  const square = [];
  for (let i = 0; i <= repeats; i++) {
    const weight = matrix(2048, 2048, dtype, false);
    square.push((await milliseconds(dtype, [2048, 2048, 2048], (x) => device.linear(x, weight, null)))[0]);
    weight.dispose();
  }
  const ceiling = (2 * 2048 ** 3) / Math.min(...square);
  for (const length of options.lengths.split(',').map(Number)) {
    for (const share of options.contexts.split(',').map(Number)) {
      const context = Math.floor(length * share);
      const examples = tokens / length;
      const batch = batchOf(examples, length, context);
      const spent = { forward: [] as number[], both: [] as number[] };
      const others = kinds.map(() => ({ forward: [] as number[], both: [] as number[] }));
      for (let i = 0; i <= repeats; i++) {
        const [forward, both] = await milliseconds(dtype, [tokens, 3 * heads * width, heads * width], (qkv) =>
          device.attention(batch, qkv, { heads }),
        );
        if (i > 0) {
          spent.forward.push(forward);
          spent.both.push(both);
        }
        if (peer === undefined) continue;
        for (const [k, kind] of kinds.entries()) {
          const request = `${kind} ${dtype} ${examples} ${length} ${context} ${heads}`;
          const times = [await peer.ask<number>(`${request} 0 1`), await peer.ask<number>(`${request} 1 1`)];
          if (i === 0) continue;
          if (times[0]! > 0) others[k]!.forward.push(times[0]!);
          if (times[1]! > 0) others[k]!.both.push(times[1]!);
        }
      }
      const pairs = (length * (length + 1)) / 2 + (context * (context - 1)) / 2;
      const operations = examples * heads * pairs * 4 * width;
      const ratios = Object.fromEntries(
        kinds.flatMap((kind, k) => [
          [`${kind} forward`, ratio(others[k]!.forward, spent.forward)],
          [`${kind} both`, ratio(others[k]!.both, spent.both)],
        ]),
      );
      rows.push({
        dtype,
        length,
        context,
        'forward ms': median(spent.forward),
        'forward + backward ms': median(spent.both),
        ...(peer && ratios),
        'share forward': operations / median(spent.forward) / ceiling,
        'share both': (3.5 * operations) / median(spent.both) / ceiling,
      });
    }
  }
}
await peer?.close();
report({
  benchmark: 'attention',
  settings: { instructionSet: device.instructionSet, threads, repeats, heads, width, tokens, ...versions },
  rows,
});
