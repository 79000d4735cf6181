import { Worker } from 'node:worker_threads';

/** What a worker does over and over with 64 MiB of its own: libc's memcpy, or its memchr for what is not there. */
const worker = `
  const { parentPort, workerData } = require('node:worker_threads');
  const from = Buffer.alloc(2 ** 26, 1), to = Buffer.alloc(2 ** 26, 1);
  const work = { copy: () => from.copy(to), read: () => from.indexOf(7) };
  parentPort.on('message', (kind) => {
    const started = performance.now();
    for (let i = 0; i < 4; i++) work[kind]();
    parentPort.postMessage((4 * from.length) / (performance.now() - started) / 1e6);
  });
`;

export interface MemoryRates {
  /** GB/s read and as many written */
  copy: number;
  /** GB/s */
  read: number;
}

/** What plain copies and reads reach on so many threads at once; the best of a few. */
export async function memoryRates(threads: number): Promise<MemoryRates> {
  const workers = Array.from({ length: threads }, () => new Worker(worker, { eval: true }));
  const once = (each: Worker, kind: string) =>
    new Promise<number>((resolve, reject) => {
      each.once('message', resolve).once('error', reject);
      each.postMessage(kind);
    });
  const best = { copy: 0, read: 0 };
  for (let i = 0; i < 4; i++) {
    for (const kind of ['copy', 'read'] as const) {
      const rates = await Promise.all(workers.map((each) => once(each, kind)));
      best[kind] = Math.max(
        best[kind],
        rates.reduce((sum, rate) => sum + rate, 0),
      );
    }
  }
  await Promise.all(workers.map((each) => each.terminate()));
  return best;
}
