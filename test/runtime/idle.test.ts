/** Threads that wait for work sleep: between computations the process uses next to no processor time. */

import { setTimeout as sleep } from 'node:timers/promises';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { native } from '../../ts/native.js';

const idle = suite('runtime: idle threads');

idle('do not spin', async () => {
  const device = new native.NativeDevice({ threads: 4 });
  device.openScope();
  const options = { deviation: 1, seed: 1, site: 0, requiresGradient: false };
  const square = device.normal([512, 512], options);
  device.linear(square, square, null);
  await device.synchronize();
  device.closeScope([], false);

  await sleep(100); // they look for more work for some microseconds
  const before = process.cpuUsage();
  await sleep(500);
  const { user, system } = process.cpuUsage(before);
  const spent = (user + system) / 1000;
  assert.ok(spent < 100, `expected less than 100 ms of processor time in 500 ms, found ${spent} ms`);
});

idle.run();
