import type { Worker } from 'node:worker_threads';
import { errorFromWorker, startWorker } from '../../text/start-worker.js';
import type { Source } from '../../text/documents/sources.js';
import type { FromWorker, TokenChunk, ToWorker, WorkerSetup } from './tokenize-messages.js';
import type { Plan, PlannedPart } from '../../text/documents/plan.js';

/** Parts per worker that are under way or done and waiting for those before them. */
const aheadPerWorker = 2;

/** A part that a worker has been given, and what it has sent back. */
export interface Task extends PlannedPart {
  readonly messages: Mailbox;
  /** Gives a chunk's memory back once it has been written: the worker has room for one more. */
  readonly giveBack: (chunk: TokenChunk) => void;
}

/** Worker threads that tokenize the parts of a plan; the parts come out in the plan's order. */
export class WorkerPool {
  readonly #plan: Plan;
  readonly #sources: readonly Source[];
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  /** In order; the first is the one that is written next. */
  readonly #tasks: Task[] = [];
  readonly #taskOf = new Map<Worker, Task>();
  #failure: { reason: unknown } | undefined;

  constructor(plan: Plan, sources: readonly Source[], count: number, setup: WorkerSetup) {
    this.#plan = plan;
    this.#sources = sources;
    for (let i = 0; i < count; i++) this.#idle.push(this.#start(setup));
  }

  /** The next part in order, which a worker has or will have; undefined when there is none. */
  next(): Task | undefined {
    if (this.#failure !== undefined) throw this.#failure.reason;
    this.#assign();
    const task = this.#tasks.shift();
    this.#assign();
    return task;
  }

  /** Makes everyone who waits for a worker fail with this. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    for (const task of [...this.#tasks, ...this.#taskOf.values()]) task.messages.fail(reason);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(setup: WorkerSetup): Worker {
    const worker = startWorker(new URL('./tokenize-worker', import.meta.url), setup);
    this.#workers.push(worker);
    worker.on('message', (message: FromWorker) => this.#receive(worker, message));
    worker.on('error', (error) => this.fail(errorFromWorker(error)));
    worker.on('exit', (code) => this.fail(new Error(`a tokenizing thread ended early, with status ${code}`)));
    return worker;
  }

  #receive(worker: Worker, message: FromWorker): void {
    const task = this.#taskOf.get(worker)!;
    if (message.type !== 'chunk') {
      this.#taskOf.delete(worker);
      if (message.type === 'end') {
        if (message.last) this.#plan.endsWith(task);
        this.#idle.push(worker);
        this.#assign();
      }
    }
    task.messages.put(message);
  }

  #assign(): void {
    while (this.#idle.length > 0 && this.#tasks.length < this.#workers.length * aheadPerWorker) {
      const planned = this.#plan.next();
      if (planned === undefined) return;
      const worker = this.#idle.shift()!;
      const send = (message: ToWorker, transfer: ArrayBuffer[] = []): void =>
        worker.postMessage(message, transfer);
      const giveBack = ({ tokens: { buffer } }: TokenChunk): void =>
        send({ type: 'written', memory: buffer }, [buffer]);
      const task: Task = { ...planned, messages: new Mailbox(), giveBack };
      this.#tasks.push(task);
      this.#taskOf.set(worker, task);
      send({ type: 'part', source: this.#sources[planned.source]!, part: planned.part });
    }
  }
}

/** Messages that wait for their only reader, or the other way round. */
export class Mailbox {
  readonly #waiting: FromWorker[] = [];
  #reader: { resolve: (message: FromWorker) => void; reject: (reason: unknown) => void } | undefined;
  #failure: { reason: unknown } | undefined;

  put(message: FromWorker): void {
    if (this.#reader === undefined) this.#waiting.push(message);
    else this.#reader.resolve(message);
    this.#reader = undefined;
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#reader?.reject(reason);
    this.#reader = undefined;
  }

  next(): Promise<FromWorker> {
    return new Promise((resolve, reject) => {
      const message = this.#waiting.shift();
      if (message !== undefined) resolve(message);
      else if (this.#failure !== undefined) reject(this.#failure.reason);
      else this.#reader = { resolve, reject };
    });
  }
}
