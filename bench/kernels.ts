/**
 * The kernels of a training step at GLM-Base's shapes against what the machine can do, measured in the same run:
 * `npm run bench -- kernels`. 8 examples of 532 tokens, width 768, vocabulary 30,592.
 *
 * Where products are the work, the ceiling is a plain product (2,048³); where memory is, a plain copy or, for what is only
 * read, a plain read, on as many threads. Bytes are those that have to move: every operand and result once.
 */

import { parseArgs } from 'node:util';

import { native, type NativeTensor } from '../ts/native.js';
import { memoryRates } from './support/memory-rates.js';
import { report } from './support/report.js';

const { values: options } = parseArgs({
  options: {
    dtype: { type: 'string', default: 'float32' },
    threads: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '5' },
  },
});
const threads = Number(options.threads);
const repeats = Number(options.repeats);
const dtype = options.dtype as 'float32' | 'bfloat16';
const [examples, length, context, heads, width, vocabulary] = [8, 532, 452, 12, 768, 30592];
const tokens = examples * length;
const lossRows = 640;
const bytes = dtype === 'float32' ? 4 : 2;

const device = new native.NativeDevice({ threads });
let site = 0;
const normal = (shape: number[], requiresGradient = false) =>
  device.normal(shape, { deviation: 0.5, seed: 1, site: site++, requiresGradient });
const matrix = (rows: number, columns: number, requiresGradient = false) => {
  const x = normal([rows, columns], requiresGradient);
  return dtype === 'float32' ? x : device.trainable(x, dtype);
};
const places = (value: (place: number) => number) =>
  Int32Array.from({ length: tokens }, (_, i) => value(i % length));
const batch = device.batch(
  {
    ids: Int32Array.from({ length: tokens }, (_, i) => Math.imul(i, 7919) % vocabulary),
    positions: places((place) => Math.min(place, context)),
    blockPositions: places((place) => Math.max(0, place - context)),
    offsets: Int32Array.from({ length: examples + 1 }, (_, i) => i * length),
    contextLengths: new Int32Array(examples).fill(context),
    rows: Int32Array.from({ length: lossRows }, (_, i) => i),
    targets: Int32Array.from({ length: lossRows }, (_, i) => Math.imul(i, 104729) % vocabulary),
  },
  { vocabulary, positions: length + 1, blockPositions: length + 1 },
);

/** The shortest of a few, in milliseconds, since anything else that runs only adds to it. */
async function shortest(work: () => void): Promise<number> {
  let best = Infinity;
  for (let i = 0; i <= repeats; i++) {
    await device.synchronize();
    const started = performance.now();
    work();
    await device.synchronize();
    if (i > 0) best = Math.min(best, performance.now() - started);
  }
  return best;
}

/** Milliseconds of `op` alone, and of what the tape does behind it. */
async function bothWays(op: () => NativeTensor): Promise<[forward: number, backward: number]> {
  const inScope = (record: boolean) => () => {
    device.openScope();
    if (record) device.beginTape();
    const y = op();
    if (record) {
      device.backward(y, dtype === 'float32' ? normal(y.shape) : device.cast(normal(y.shape), dtype));
      device.endTape();
    }
    device.closeScope([], false);
  };
  const gradientAlone = await shortest(() => {
    device.openScope();
    const y = normal([tokens, op === projection ? 4 * width : width]);
    if (dtype === 'bfloat16') device.cast(y, dtype);
    device.closeScope([], false);
  });
  const forward = await shortest(inScope(false));
  return [forward, (await shortest(inScope(true))) - forward - gradientAlone];
}

const x = matrix(tokens, width, true);
const wide = matrix(4 * width, width, true);
const narrow = matrix(width, 4 * width, true);
const wideX = matrix(tokens, 4 * width, true);
const qkv = matrix(tokens, 3 * width, true);
const words = matrix(vocabulary, width, true);
const tables = [normal([length + 1, width], true), normal([length + 1, width], true)] as const;
const [bias, weight] = [normal([width], true), normal([width], true)];
const wideBias = normal([4 * width], true);
const dropout = (probability = 0.1) => ({ probability, seed: 1, site: 9 });
const projection = () => device.linear(x, wide, wideBias);
const gelu = () =>
  device.linear(wideX, narrow, bias, { activation: 'gelu_tanh', residual: x, dropout: dropout() });
const attention = () => device.attention(batch, qkv, { heads });

const product = 2 * tokens * width * 4 * width;
const pairs = (length * (length + 1)) / 2 + (context * (context - 1)) / 2;
const attended = examples * pairs * 4 * width;
const values = tokens * width;

const square = [matrix(2048, 2048), matrix(2048, 2048)] as const;
const ceiling = {
  GFLOPS: (2 * 2048 ** 3) / (await shortest(() => device.linear(square[0], square[1], null).dispose())) / 1e6,
  ...(await memoryRates(threads)),
};
/** A copy of so many GB/s reads and writes as many. */
const rows: Record<string, string | number>[] = [
  { kernel: 'product, 2048³', ms: (2 * 2048 ** 3) / ceiling.GFLOPS / 1e6, GFLOPS: ceiling.GFLOPS },
  { kernel: 'copy (read and written)', 'GB/s': 2 * ceiling.copy },
  { kernel: 'read', 'GB/s': ceiling.read },
];
const computed = (kernel: string, shape: string, ms: number, operations: number) =>
  rows.push({
    kernel,
    shape,
    ms,
    GFLOPS: operations / ms / 1e6,
    'share of the ceiling': operations / ms / 1e6 / ceiling.GFLOPS,
  });
const moved = (kernel: string, shape: string, ms: number, moves: number, most = 2 * ceiling.copy) =>
  rows.push({ kernel, shape, ms, 'GB/s': moves / ms / 1e6, 'share of the ceiling': moves / ms / 1e6 / most });

for (const [name, op, operations, shape] of [
  ['linear, bias', projection, product, `${tokens} × ${width} × ${4 * width}`],
  ['linear, GELU, dropout, residual', gelu, product, `${tokens} × ${4 * width} × ${width}`],
  ['attention, context 85 %', attention, attended, `${examples} × ${length}, ${heads} heads`],
] as const) {
  const [forward, backward] = await bothWays(op);
  computed(name, shape, forward, operations);
  computed(`${name}: backward`, shape, backward, operations * (op === attention ? 2.5 : 2));
}
const crossEntropy = await shortest(() => {
  device.openScope();
  device.beginTape();
  device.crossEntropy(batch, device.gatherRows(batch, x), words, { gradientScale: 1 });
  device.endTape();
  device.closeScope([], false);
});
computed(
  'cross-entropy with gradients',
  `${lossRows} × ${width} × ${vocabulary}`,
  crossEntropy,
  6 * lossRows * width * vocabulary,
);

const shape = `${tokens} × ${width}`;
const [normForward, normBackward] = await bothWays(() => device.layerNorm(x, weight, bias, 1e-5));
moved('layer norm', shape, normForward, 2 * bytes * values);
moved('layer norm: backward', shape, normBackward, 4 * bytes * values);
const [embedForward, embedBackward] = await bothWays(() =>
  device.embedding(batch, words, { positionTable: tables[0], blockTable: tables[1], dtype }),
);
moved('embedding', shape, embedForward, 2 * bytes * values);
moved('embedding: backward', shape, embedBackward, (bytes + 8) * values);

// A parameter and what the optimizer keeps for it; the gradients are those that the kernels above made.
const optimized = [words, wide, narrow].map((tensor) => ({
  parameter: dtype === 'float32' ? tensor : normal(tensor.shape),
  ...(dtype === 'bfloat16' && { copy: tensor }),
  firstMoment: device.tensor(tensor.shape, 'float32', null, false),
  secondMoment: device.tensor(tensor.shape, 'float32', null, false),
  decay: true,
}));
const count = (vocabulary + 8 * width) * width;
const settings = { learningRate: 0, beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: 0.1, gradientScale: 1, step: 1 }; // prettier-ignore
const update = await shortest(() => device.adamw(optimized, settings));
moved('AdamW', `${count}`, update, (28 + (dtype === 'bfloat16' ? 2 : 0)) * count);
const gradients = optimized.map(({ parameter, copy }) => copy ?? parameter);
const norm = await shortest(() => void device.squaredGradientNorm(gradients));
moved('gradient norm', `${count}`, norm, 4 * count, ceiling.read);

report({
  benchmark: 'kernels',
  settings: { instructionSet: device.instructionSet, threads, dtype, repeats },
  rows,
});
