/**
 * Private memory over a long run, which must stay where it is: `npm run bench -- steady-memory`, of training steps, or with
 * `--of fills` of blanks that 16 callers fill. Batches and texts differ in length.
 *
 * It is read before and after JavaScript's collector has run: when V8 collects is V8's affair and moves the first figure by
 * some MiB either way; the second is what is kept. `growth` says how much higher its second half goes than its first.
 *
 * Fills take a model's weights from its file, which is no private memory, so what is private beyond the caches is the
 * program itself, the activations of a step and what the tokenizer and JavaScript hold.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { GLM } from '../ts/glm.js';
import { Trainer } from '../ts/train/trainer.js';
import { blankBatch } from './support/blank-batch.js';

const { values: options } = parseArgs({
  options: {
    of: { type: 'string', default: 'training' },
    /** Training steps or fills; by default 2000 or 5000. */
    times: { type: 'string' },
    /** The model that fills. */
    model: { type: 'string', default: 'glm-base' },
  },
});
const samples = 10;

function privateMebibytes(): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? NaN) / 1024;
}

/** Runs training steps; says after each how many there have been. */
async function train(steps: number, done: (count: number) => void): Promise<object> {
  const config = {
    num_layers: 2,
    hidden_size: 128,
    num_attention_heads: 2,
    vocab_size: 30592,
    max_sequence_length: 128,
  };
  using model = await GLM.create(config, { device: 'cpu' });
  using trainer = new Trainer(model, {
    data: async (step) => [await blankBatch(4, 100, step)],
    steps,
    dropout: 0.1,
  });
  for await (const event of trainer.run()) if (event.type === 'step') done(event.step + 1);
  return {};
}

/** Fills blanks from 16 places; says after each how many there have been. */
async function fill(times: number, done: (count: number) => void): Promise<object> {
  const callers = 16;
  const mostTokens = 128;
  const special = { mask: 3, sop: 4, eop: 5 };
  const folder = mkdtempSync(path.join(os.tmpdir(), 'glm-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  {
    using made = await GLM.create(options.model, { device: 'cpu' });
    await made.save(folder);
  }
  const before = privateMebibytes();
  using model = await GLM.load(folder, { device: 'cpu' });
  let begun = 0;
  let finished = 0;
  const call = async () => {
    while (begun < times) {
      const n = begun++;
      const input = Int32Array.from({ length: 16 + ((n * 37) % 112) }, (_, i) => (i === 9 ? 3 : 10 + i));
      await model.fill(input, { maxTokens: 1 + (n % 3), minTokens: 1 + (n % 3), special });
      done(++finished);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const { num_layers, hidden_size } = model.config;
  const mostCached = (callers * mostTokens * num_layers * 2 * hidden_size * 4) / 2 ** 20;
  return { model: options.model, callers, mebibytesBefore: before, mostCachedMebibytes: mostCached };
}

const isTraining = options.of === 'training';
const times = Number(options.times ?? (isTraining ? 2000 : 5000));
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const uncollected: number[] = [];
const mebibytes: number[] = [];
const note = (count: number) => {
  if (count % Math.ceil(times / samples) !== 0) return;
  uncollected.push(privateMebibytes());
  collectGarbage();
  mebibytes.push(privateMebibytes());
  const [before, after] = [uncollected.at(-1)!.toFixed(1), mebibytes.at(-1)!.toFixed(1)];
  console.error(`${count} of ${times}: ${after} MiB of private memory, ${before} before a collection`);
};
const settings = await (isTraining ? train : fill)(times, note);
const growth = Math.max(...mebibytes.slice(samples / 2)) / Math.max(...mebibytes.slice(0, samples / 2)) - 1;
console.log(
  JSON.stringify({
    benchmark: 'steady-memory',
    of: options.of,
    times,
    ...settings,
    uncollected,
    mebibytes,
    growth,
  }),
);
