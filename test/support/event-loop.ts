import { Worker } from 'node:worker_threads';

import * as assert from 'uvu/assert';

/** How late a 1 ms timer is, in ms, at the given share of the cases, while `work` runs. */
export async function lateness(work: Promise<unknown>, share: number, leastTimers = 1): Promise<number> {
  const late: number[] = [];
  let running = true;
  void work.finally(() => (running = false));
  while (running) {
    const started = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1));
    late.push(performance.now() - started - 1);
  }
  late.sort((a, b) => a - b);
  assert.ok(late.length >= leastTimers, `expected at least ${leastTimers} timers, found ${late.length}`);
  return late[Math.min(late.length - 1, Math.floor(late.length * share))] as number;
}

/** Threads that keep the processors busy for a while. */
export function spinningThreads(count: number, milliseconds: number): Promise<unknown> {
  const source = `const end = Date.now() + ${milliseconds}; while (Date.now() < end);`;
  return Promise.all(
    Array.from(
      { length: count },
      () => new Promise((resolve) => new Worker(source, { eval: true }).once('exit', resolve)),
    ),
  );
}
