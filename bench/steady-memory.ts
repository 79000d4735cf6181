/**
 * Private memory over a long run, which must stay where it is: `npm run bench -- steady-memory --steps 2000`.
 * Ragged batches of a corpus would differ in length; here each step draws its blanks anew, which does the same.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { GLM } from '../ts/glm.js';
import { Trainer } from '../ts/train/trainer.js';
import { blankBatch } from './support/blank-batch.js';

const { values: options } = parseArgs({
  options: { steps: { type: 'string', default: '2000' }, every: { type: 'string', default: '200' } },
});

using model = await GLM.create(
  { num_layers: 2, hidden_size: 128, num_attention_heads: 2, vocab_size: 30592, max_sequence_length: 128 },
  { device: 'cpu' },
);
using trainer = new Trainer(model, {
  data: async (step) => [await blankBatch(4, 100, step)],
  steps: Number(options.steps),
  dropout: 0.1,
});

const mebibytes: number[] = [];
for await (const event of trainer.run()) {
  if (event.type !== 'step' || (event.step + 1) % Number(options.every) !== 0) continue;
  mebibytes.push(privateMebibytes());
  console.error(`step ${event.step + 1}: ${mebibytes.at(-1)!.toFixed(1)} MiB of private memory`);
}
const [first = NaN, ...rest] = mebibytes;
const growth = Math.max(...rest) / first - 1;
console.log(JSON.stringify({ benchmark: 'steady-memory', steps: Number(options.steps), mebibytes, growth }));

function privateMebibytes(): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? NaN) / 1024;
}
