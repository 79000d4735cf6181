/**
 * The event loop stays free while a model trains: a 1 ms timer is late no more often than while plain native threads keep
 * the processors busy in the same run.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import { Trainer } from '../../ts/train/trainer.js';
import { Worker } from 'node:worker_threads';
import { batchOf, config } from './programs/busy-model.js';

const loop = suite('runtime: the event loop');

/** How late a 1 ms timer is, in ms, at the given share of the cases, while `work` runs. */
async function lateness(work: Promise<unknown>, share: number): Promise<number> {
  const late: number[] = [];
  let running = true;
  void work.finally(() => (running = false));
  while (running) {
    const started = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1));
    late.push(performance.now() - started - 1);
  }
  late.sort((a, b) => a - b);
  assert.ok(late.length > 100, `expected at least 100 timers, found ${late.length}`);
  return late[Math.floor(late.length * share)] as number;
}

function spinningThreads(count: number, milliseconds: number): Promise<unknown> {
  const source = `const end = Date.now() + ${milliseconds}; while (Date.now() < end);`;
  return Promise.all(
    Array.from(
      { length: count },
      () => new Promise((resolve) => new Worker(source, { eval: true }).once('exit', resolve)),
    ),
  );
}

loop('is as free during training steps as beside spinning threads', async () => {
  using model = await GLM.create(config, { device: 'cpu', threads: 2 });
  const batch = batchOf(16, 200);
  using trainer = new Trainer(model, { data: () => [batch], steps: 30 });
  const train = async () => {
    for await (const event of trainer.run()) void event;
  };
  const beside = await lateness(spinningThreads(2, 1500), 0.95);
  const during = await lateness(train(), 0.95);
  assert.ok(
    during <= 2 * beside + 5,
    `late by ${during.toFixed(2)} ms while training, ${beside.toFixed(2)} ms beside spinning threads`,
  );
});

loop.run();
