/**
 * Filling blanks, greedily: a prompt of 64 tokens and 128 new ones, for one sequence and for sixteen at once:
 * `npm run bench -- generate`.
 *
 * Ceiling: a step reads every weight and the caches once, so their bytes over the bandwidth of a plain read on the same
 * threads (the squared norm of the gradients, in the same process, between the fills). The time of a step is that of a
 * fill with 128 tokens less one with 32, over 96; the shortest of a few, since anything else that runs only adds to it.
 */

import os from 'node:os';
import { parseArgs } from 'node:util';

import { GLM } from '../ts/glm.js';
import { presets } from '../ts/model/config.js';
import { accumulateGradients } from '../ts/model/gradients.js';

const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: 'glm-base' },
    dtype: { type: 'string', default: 'float32' },
    sequences: { type: 'string', default: '1,16' },
    threads: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '3' },
  },
});
const special = { mask: 3, sop: 4, eop: 5 };
const prompt = 64;
const long = 128;
const short = 32;
const repeats = Number(options.repeats);

async function seconds(body: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await body();
  return (performance.now() - started) / 1000;
}

/** Bytes per second of a plain read of the model's gradients. */
async function readBandwidth(model: GLM): Promise<number> {
  const { parameters, device } = model.network;
  return (4 * parameters.count) / (await seconds(() => device.squaredGradientNorm(parameters.all())));
}

/** Bytes of the weights that a step reads as a whole: every matrix, the word embedding for the logits. */
function weightBytes(model: GLM): number {
  const { parameters } = model.network;
  let bytes = 0;
  for (const { name, shape } of parameters.specs) {
    if (name.includes('position_embeddings')) continue;
    const size = parameters.get(name).dtype === 'float32' ? 4 : 2;
    bytes += size * shape.reduce((product, dimension) => product * dimension, 1);
  }
  return bytes;
}

const results: Record<string, object> = {};
for (const name of options.models.split(',')) {
  using model = await GLM.create(presets[name]!, {
    device: 'cpu',
    dtype: options.dtype as 'float32',
    threads: Number(options.threads),
  });
  // A gradient for every parameter, so that there is something to read.
  const ids = Int32Array.from({ length: 8 }, (_, i) => 10 + i);
  const zeros = new Int32Array(8);
  await accumulateGradients(
    model.network,
    {
      ids,
      positions: zeros,
      blockPositions: zeros,
      offsets: Int32Array.of(0, 8),
      contextLengths: Int32Array.of(4),
      targets: ids,
      lossMask: new Uint8Array(8).fill(1),
    },
    { gradientScale: 1 },
  );
  const input = Int32Array.from({ length: prompt }, (_, i) => (i === 30 ? special.mask : 10 + i));
  for (const sequences of options.sequences.split(',').map(Number)) {
    const fill = (tokens: number) =>
      seconds(() =>
        model.fill(new Array(sequences).fill(input) as Int32Array[], {
          maxTokens: tokens,
          minTokens: tokens,
          special,
        }),
      );
    await fill(2);
    let longest = Infinity;
    let shortest = Infinity;
    let bandwidth = 0;
    for (let i = 0; i < repeats; i++) {
      bandwidth = Math.max(bandwidth, await readBandwidth(model));
      shortest = Math.min(shortest, await fill(short));
      longest = Math.min(longest, await fill(long));
      bandwidth = Math.max(bandwidth, await readBandwidth(model));
    }
    const step = (longest - shortest) / (long - short);
    const { num_layers, hidden_size } = model.config;
    const cacheWidth = options.dtype === 'bfloat16' ? 2 : 4;
    const cache = sequences * (prompt + (long + short) / 2) * num_layers * 2 * hidden_size * cacheWidth;
    const bytes = weightBytes(model) + cache;
    results[`${name}, ${sequences}`] = {
      tokensPerSecond: Number((sequences / step).toFixed(1)),
      millisecondsPerStep: Number((step * 1000).toFixed(2)),
      gigabytesPerSecond: Number((bytes / step / 1e9).toFixed(1)),
      plainReadGigabytesPerSecond: Number((bandwidth / 1e9).toFixed(1)),
      shareOfPlainRead: Number((bytes / step / bandwidth).toFixed(3)),
    };
  }
}
console.log(
  JSON.stringify(
    {
      benchmark: 'generate',
      processor: os.cpus()[0]?.model,
      threads: Number(options.threads),
      dtype: options.dtype,
      prompt,
      long,
      short,
      results,
    },
    null,
    2,
  ),
);
