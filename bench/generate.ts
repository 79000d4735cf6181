/**
 * Filling blanks, greedily: a prompt of 64 tokens and 128 new ones, for one sequence and for sixteen at once:
 * `npm run bench -- generate`.
 *
 * Floor of a step: the larger of two times. It reads every matrix and the caches once: their bytes, over what a plain read
 * by as many threads reaches (bench/peers/read.cpp). It multiplies every matrix with a row of each sequence: its operations,
 * over what one large product of ours reaches. Both are measured between the fills; their best rates count.
 * The time of a step is that of a fill with 128 tokens less one with 32, over 96; the shortest of a few, since anything else
 * that runs only adds to it.
 */

import { parseArgs } from 'node:util';

import { GLM } from '../ts/glm.js';
import { elementCount } from '../ts/shape.js';
import { compiledPeer } from './support/peer.js';
import { report, type Row } from './support/report.js';

const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: 'glm-base' },
    dtypes: { type: 'string', default: 'float32,bfloat16' },
    sequences: { type: 'string', default: '1,16' },
    threads: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '3' },
  },
});
type DType = 'float32' | 'bfloat16';
const special = { mask: 3, sop: 4, eop: 5 };
const prompt = Int32Array.from({ length: 64 }, (_, i) => (i === 30 ? special.mask : 10 + i));
const long = 128;
const short = 32;
const threads = Number(options.threads);
const reader = compiledPeer('read', [String(threads)]);
if (reader === undefined) throw new Error('expected a C++ compiler for bench/peers/read.cpp, found none');

async function seconds(body: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await body();
  return (performance.now() - started) / 1000;
}

/** Operations per second of one large product: 1024 rows by the model's first wide matrix. */
async function productRate({ network: { device, config, parameters } }: GLM): Promise<number> {
  const rows = 1024;
  const { hidden_size: h } = config;
  const weight = parameters.get('transformer.layers.0.mlp.dense_h_to_4h.weight');
  device.openScope();
  try {
    const x = device.tensor([rows, h], weight.dtype, null, false);
    await device.synchronize();
    const spent = await seconds(() => {
      device.linear(x, weight, null);
      return device.synchronize();
    });
    return (2 * rows * h * 4 * h) / spent;
  } finally {
    device.closeScope([], false);
  }
}

/** What a step reads and computes at the least, half way between a short and a long fill. */
function workOfStep({ config, network: { parameters } }: GLM, dtype: DType, sequences: number) {
  const { num_layers, hidden_size } = config;
  let [bytes, operations] = [0, 0];
  for (const { name, shape } of parameters.specs) {
    if (name.includes('position_embeddings')) continue; // a few rows are looked up
    const elements = elementCount(shape);
    bytes += elements * (parameters.get(name).dtype === 'float32' ? 4 : 2);
    if (shape.length === 2) operations += 2 * elements * sequences;
  }
  const cached = sequences * (prompt.length + (long + short) / 2) * num_layers * 2 * hidden_size;
  return { bytes: bytes + cached * (dtype === 'float32' ? 4 : 2), operations: operations + 2 * cached };
}

async function measure(model: GLM, name: string, dtype: DType, sequences: number): Promise<Row> {
  const inputs = new Array<Int32Array>(sequences).fill(prompt);
  const fill = (tokens: number) =>
    seconds(() => model.fill(inputs, { maxTokens: tokens, minTokens: tokens, special }));
  await fill(2);
  const best = { long: Infinity, short: Infinity, read: 0, products: 0 };
  for (let i = 0; i < Number(options.repeats); i++) {
    for (let j = 0; j < 4; j++) {
      best.read = Math.max(best.read, await reader!.ask<number>('read'));
      best.products = Math.max(best.products, await productRate(model));
    }
    best.short = Math.min(best.short, await fill(short));
    best.long = Math.min(best.long, await fill(long));
  }
  const step = (best.long - best.short) / (long - short);
  const { bytes, operations } = workOfStep(model, dtype, sequences);
  const floor = Math.max(bytes / best.read, operations / best.products);
  return {
    model: name,
    dtype,
    sequences,
    'ms a step': step * 1000,
    'tokens/s': sequences / step,
    'GB/s': bytes / step / 1e9,
    'plain read, GB/s': best.read / 1e9,
    'share of it': bytes / step / best.read,
    'large product, GFLOPS': best.products / 1e9,
    'times the floor': step / floor,
  };
}

const rows: Row[] = [];
for (const name of options.models.split(',')) {
  for (const dtype of options.dtypes.split(',') as DType[]) {
    using model = await GLM.create(name, { device: 'cpu', dtype, threads });
    for (const sequences of options.sequences.split(',').map(Number))
      rows.push(await measure(model, name, dtype, sequences));
  }
}
await reader.close();
report({ benchmark: 'generate', settings: { threads, prompt: prompt.length, long, short }, rows });
