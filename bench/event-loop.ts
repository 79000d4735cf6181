/**
 * How late a 1 ms timer of the JavaScript thread is while 16 callers fill blanks, and while a model trains, beside what it
 * is while as many plain threads spin: `npm run bench -- event-loop`. The three take turns; medians of the rounds. The
 * 99.9th percentile of a few thousand timers is a handful of them: several rounds say more than a long one.
 */

import os from 'node:os';
import { parseArgs } from 'node:util';

import { GLM } from '../ts/glm.js';
import { Trainer } from '../ts/train/trainer.js';
import { lateness, spinningThreads } from '../test/support/event-loop.js';
import { blankBatch } from './support/blank-batch.js';
import { median } from './support/statistics.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: 'glm-base' },
    threads: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '5' },
  },
});
const [threads, seconds, rounds] = [options.threads, options.seconds, options.rounds].map(Number) as [
  number,
  number,
  number,
];
const callers = 16;
const special = { mask: 3, sop: 4, eop: 5 };

using model = await GLM.create(options.model, { device: 'cpu', threads });

/** Callers that each fill one blank after the other. */
async function filling(): Promise<void> {
  const end = performance.now() + 1000 * seconds;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      const input = Int32Array.from({ length: 48 + caller }, (_, i) => (i === 30 ? special.mask : 10 + i));
      while (performance.now() < end) await model.fill(input, { maxTokens: 16, minTokens: 16, special });
    }),
  );
}

async function training(): Promise<void> {
  const batch = await blankBatch(1, 200);
  const end = performance.now() + 1000 * seconds;
  using trainer = new Trainer(model, { data: () => [batch], steps: 1000 });
  for await (const event of trainer.run())
    if (event.type === 'step' && performance.now() > end) trainer.stop();
}

const loads = {
  'plain threads': () => spinningThreads(threads, 1000 * seconds),
  '16 callers filling': filling,
  training,
};
type Load = keyof typeof loads;
await model.fill(Int32Array.of(10, 3), { maxTokens: 2, special });
const late = Object.fromEntries(Object.keys(loads).map((name) => [name, [] as number[]])) as Record<
  Load,
  number[]
>;
for (let round = 0; round < rounds; round++) {
  for (const [name, load] of Object.entries(loads)) late[name as Load].push(await lateness(load(), 0.999));
}
console.log(
  JSON.stringify(
    {
      benchmark: 'event-loop',
      processor: os.cpus()[0]?.model,
      load: os.loadavg()[0],
      ...options,
      millisecondsLateAtThe999thOf1000: late,
      ratioToPlainThreads: {
        filling: median(late['16 callers filling']) / median(late['plain threads']),
        training: median(late.training) / median(late['plain threads']),
      },
    },
    null,
    2,
  ),
);
