/**
 * Building pretraining batches on one thread, by objective: `npm run bench -- spans`.
 *
 * Ceiling: a plain copy of the bytes that a batch has (17 for each of its tokens). The time is that of
 * BlankInfilling.batch() as a training loop calls it, with a few batches under way: checking and copying the rows,
 * sampling, layout, the way to the background thread and back. The original's Python makes 0.8 million tokens a second.
 */

import os from 'node:os';
import { parseArgs } from 'node:util';

import type { Batch } from '../ts/data/batch.js';
import { BlankInfilling, type BlankInfillingOptions } from '../ts/data/blank-infilling.js';
import { findRecipe } from '../ts/train/recipes.js';

const { values: options } = parseArgs({
  options: {
    length: { type: 'string', default: '512' },
    rows: { type: 'string', default: '16' },
    batches: { type: 'string', default: '50' },
    repeats: { type: 'string', default: '40' },
    threads: { type: 'string', default: '1' },
  },
});
const length = Number(options.length);
const count = Number(options.rows);
const batches = Number(options.batches);
const underWay = 8;

const special = { eos: 2, cls: 1, mask: 3, sop: 4, eop: 5, gmask: 8, smask: 9, dblock: 10 };
const sentenceEnds = Uint8Array.from({ length: 30000 }, (_, id) => (id > 100 && id % 20 === 0 ? 1 : 0));
let state = 12345;
const token = () => 11 + (((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % 29000);
const rows = Array.from({ length: count }, () => Int32Array.from({ length: length - 1 }, token));

const strategies: Record<string, Partial<BlankInfillingOptions>> = {
  blank: { mix: { blank: 1 } },
  sentence: { mix: { sentence: 1 } },
  document: { mix: { document: 1 } },
  'mix of the 10B model': findRecipe('glm-10b').objective,
};

async function secondsPerBatch(objective: BlankInfilling): Promise<number> {
  const started = performance.now();
  let pending: Promise<Batch>[] = [];
  for (let i = 0; i < batches; i++) {
    pending.push(objective.batch(rows, { seed: 1, index: i * count }));
    if (pending.length === underWay) {
      await pending[0];
      pending = pending.slice(1);
    }
  }
  await Promise.all(pending);
  return (performance.now() - started) / 1000 / batches;
}

function secondsPerCopy(bytes: number): number {
  const from = new Uint8Array(bytes).fill(1);
  const to = new Uint8Array(bytes);
  const started = performance.now();
  for (let i = 0; i < batches * 10; i++) to.set(from);
  return (performance.now() - started) / 1000 / (batches * 10);
}

/** The shortest time, since anything else that runs can only add to it. */
const shortest = async (run: () => number | Promise<number>) => {
  let best = Infinity;
  for (let i = 0; i < Number(options.repeats); i++) best = Math.min(best, await run());
  return best;
};

const results: Record<string, object> = {};
for (const [name, changed] of Object.entries(strategies)) {
  const objective = new BlankInfilling({
    special,
    sentenceEnds,
    maxLength: length,
    threads: Number(options.threads),
    ...changed,
  });
  const { ids } = await objective.batch(rows, { seed: 1, index: 0 });
  const seconds = await shortest(() => secondsPerBatch(objective));
  const copy = await shortest(() => secondsPerCopy(ids.length * 17));
  results[name] = {
    millionTokensPerSecond: Number(((count * length) / seconds / 1e6).toFixed(1)),
    microsecondsPerSample: Number(((seconds / count) * 1e6).toFixed(2)),
    shareOfCopy: Number((copy / seconds).toFixed(3)),
  };
}
console.log(
  JSON.stringify(
    {
      benchmark: 'spans',
      processor: os.cpus()[0]?.model,
      threads: Number(options.threads),
      length,
      rows: count,
      results,
    },
    null,
    2,
  ),
);
