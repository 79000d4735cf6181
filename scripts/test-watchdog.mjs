// Ends a test run whose current file takes too long, also when the main thread is blocked inside native code and no
// timer of its own would ever fire: the watching is done in a worker thread.
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

export class Watchdog {
  #worker;
  #counts;

  /** `counts` is read when a file is entered, for the closing line of a run that had to be ended. */
  constructor(seconds, counts) {
    this.#counts = counts;
    this.#worker = new Worker(fileURLToPath(import.meta.url), { workerData: { seconds }, execArgv: [] });
    this.#worker.unref();
  }

  enter(file) {
    this.#worker.postMessage({ file, counts: { ...this.#counts } });
  }

  stop() {
    this.#worker.postMessage({ stop: true });
  }
}

if (!isMainThread && parentPort && workerData?.seconds) {
  let timer;
  parentPort.on('message', ({ stop, file, counts }) => {
    clearTimeout(timer);
    if (stop) return parentPort.close();
    timer = setTimeout(() => {
      const { passed, failed, skipped } = counts;
      writeSync(1, `\n  ${file}: not done after ${workerData.seconds} s\n`);
      writeSync(1, `${passed} passed, ${failed + 1} failed, ${skipped} skipped\n`);
      process.kill(process.pid, 'SIGKILL');
    }, workerData.seconds * 1000);
  });
}
