import { availableParallelism } from 'node:os';
import { serialize } from 'node:v8';
import type { Worker } from 'node:worker_threads';
import type { TokenizerDefinition } from './definition.js';
import type { EncodedTexts } from './encode-worker.js';
import { errorFromWorker, startWorker } from './start-worker.js';

/** Characters that go to a thread at a time: some milliseconds of work. */
const jobLength = 1 << 17;
/** One job is in work, one waits, so that a thread never does. */
const jobsPerThread = 2;
/** A thread that has nothing to do for this long ends; its caches are dear, but so is its memory. */
const idleMilliseconds = 10_000;

interface Job {
  readonly texts: readonly string[];
  readonly resolve: (ids: Int32Array[]) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  /** In the order in which they were posted, which is that of the answers. */
  readonly jobs: Job[];
}

/**
 * Encodes on other threads, as many as there are cores. They start when there is work and do not keep the
 * process alive.
 */
export class EncodePool {
  readonly #definition: TokenizerDefinition;
  /** The definition as bytes that all threads read. */
  #shared: SharedArrayBuffer | undefined;
  readonly #maxThreads = availableParallelism();
  readonly #waiting: Job[] = [];
  readonly #threads = new Set<Thread>();
  #idle: NodeJS.Timeout | undefined;

  constructor(definition: TokenizerDefinition) {
    this.#definition = definition;
  }

  async encode(texts: readonly string[]): Promise<Int32Array[]> {
    const answers = jobsOf(texts).map(
      (job) =>
        new Promise<Int32Array[]>((resolve, reject) => this.#waiting.push({ texts: job, resolve, reject })),
    );
    this.#startThreads();
    this.#post();
    return (await Promise.all(answers)).flat();
  }

  #startThreads(): void {
    const useful = Math.min(this.#maxThreads, Math.ceil(this.#waiting.length / jobsPerThread));
    while (this.#threads.size < useful) {
      const module = new URL('./encode-worker', import.meta.url);
      this.#shared ??= shared(serialize(this.#definition));
      const thread: Thread = { worker: startWorker(module, this.#shared), jobs: [] };
      thread.worker.on('message', (encoded: EncodedTexts) => this.#onEncoded(thread, encoded));
      thread.worker.on('error', (error) => this.#onError(thread, errorFromWorker(error)));
      this.#threads.add(thread);
    }
  }

  /** Gives waiting jobs to threads, the least busy first. */
  #post(): void {
    clearTimeout(this.#idle);
    for (let busy = 0; busy < jobsPerThread; busy++) {
      for (const thread of this.#threads) {
        if (thread.jobs.length > busy) continue;
        const job = this.#waiting.shift();
        if (job === undefined) break;
        thread.jobs.push(job);
        thread.worker.postMessage(job.texts);
      }
    }
    let idle = true;
    for (const { worker, jobs } of this.#threads) {
      if (jobs.length > 0) worker.ref();
      else worker.unref();
      idle &&= jobs.length === 0;
    }
    if (idle) this.#idle = setTimeout(() => this.#end(), idleMilliseconds).unref();
  }

  #onEncoded(thread: Thread, { ids, lengths }: EncodedTexts): void {
    let start = 0;
    thread.jobs.shift()!.resolve(Array.from(lengths, (length) => ids.slice(start, (start += length))));
    this.#post();
  }

  #onError(thread: Thread, error: Error): void {
    this.#threads.delete(thread);
    for (const job of thread.jobs) job.reject(error);
    if (this.#waiting.length > 0) this.#startThreads();
    this.#post();
  }

  #end(): void {
    for (const { worker } of this.#threads) void worker.terminate();
    this.#threads.clear();
  }
}

function shared(bytes: Uint8Array): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return buffer;
}

/** Groups neighbouring texts to jobs of about `jobLength` characters. */
function jobsOf(texts: readonly string[]): string[][] {
  const jobs: string[][] = [];
  let length = Infinity;
  for (const text of texts) {
    if (length + text.length > jobLength) {
      jobs.push([]);
      length = 0;
    }
    jobs.at(-1)!.push(text);
    length += text.length;
  }
  return jobs;
}
