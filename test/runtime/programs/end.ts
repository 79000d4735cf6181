/** Ends in the way that is named on the command line, with work in flight. */

import { Worker } from 'node:worker_threads';

import { startWork } from './busy-model.js';

const way = process.argv[2];
const worker = new URL('./busy-worker.mjs', import.meta.url);
const message = (from: Worker) => new Promise((resolve) => from.once('message', resolve));

if (way === 'exit') {
  await startWork();
  process.exit(7);
} else if (way === 'throw') {
  await startWork();
  throw new Error('on purpose');
} else if (way === 'dispose') {
  const { model, work } = await startWork();
  model.dispose();
  await work.catch((error: unknown) => console.log((error as { code: string }).code));
} else if (way === 'finish') {
  const { model, work } = await startWork();
  await work;
  model.dispose();
} else if (way === 'terminate') {
  // Under a sanitizer a thread takes half a minute to load what it runs.
  for (let i = process.env.GLM_SANITIZER === undefined ? 5 : 1; i > 0; i--) {
    const thread = new Worker(worker);
    await message(thread);
    await thread.terminate();
  }
} else if (way === 'terminate calls') {
  for (let i = process.env.GLM_SANITIZER === undefined ? 5 : 1; i > 0; i--) {
    const thread = new Worker(worker, { workerData: 'calls' });
    await message(thread);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await thread.terminate();
  }
} else if (way === 'both') {
  const threads = [new Worker(worker), new Worker(worker)];
  const { model, work } = await startWork();
  await Promise.all(threads.map(message));
  await work;
  model.dispose();
  await Promise.all(threads.map((thread) => thread.terminate()));
}
console.log('reached the end');
