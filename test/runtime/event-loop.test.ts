/**
 * The event loop stays free while a model works: while it trains, a 1 ms timer is late no more often than while plain native
 * threads keep the processors busy in the same run.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import { Trainer } from '../../ts/train/trainer.js';
import { lateness, spinningThreads } from '../support/event-loop.js';
import { batchOf, config } from './programs/busy-model.js';

const loop = suite('runtime: the event loop');

loop('is as free during training steps as beside spinning threads', async () => {
  using model = await GLM.create(config, { device: 'cpu', threads: 2 });
  const batch = batchOf(16, 200);
  using trainer = new Trainer(model, { data: () => [batch], steps: 30 });
  const train = async () => {
    for await (const event of trainer.run()) void event;
  };
  const beside = await lateness(spinningThreads(2, 1500), 0.95, 101);
  const during = await lateness(train(), 0.95, 101);
  assert.ok(
    during <= 2 * beside + 5,
    `late by ${during.toFixed(2)} ms while training, ${beside.toFixed(2)} ms beside spinning threads`,
  );
});

loop('does not wait for the work of one model when another one is collected', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await (async () => (await GLM.create(config, { device: 'cpu' })).dispose())();
  using model = await GLM.create(config, { device: 'cpu' });
  const started = performance.now();
  const work = model.forward(batchOf(64, 250), { rows: Int32Array.of(0) });
  collect();
  const longest = await lateness(work, 1);
  const took = performance.now() - started;
  assert.ok(longest < took / 2, `late by ${longest.toFixed(1)} ms during work of ${took.toFixed(1)} ms`);
});

loop.run();
