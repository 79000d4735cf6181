import { GlmError } from '../errors.js';
import type { Engine } from './engine.js';
import type { Sequence } from './sequence.js';
import { type Chosen, nothingLeft, notFinite, numericError } from './step.js';

/** A sequence on its way, and who wants to know. */
export interface Task {
  readonly sequence: Sequence;
  /** Called after each step until the sequence is done. Returns whether to go on. */
  advanced(): boolean;
  failed(error: unknown): void;
}

/** Sequences that are computed together; the rest begin when there is room, so that there are as many caches at most. */
const mostTogether = 64;

/**
 * Calls on one model from many places: each step takes every sequence that is under way, wherever it came from. Sequences
 * that must not be computed with others (`batching: false`) go one after the other, taking turns with those.
 */
export class Scheduler {
  readonly #engine: Engine;
  readonly #tasks = new Set<Task>();
  #running = false;
  #lastWasAlone = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  add(task: Task): void {
    this.#tasks.add(task);
    if (this.#running) return;
    this.#running = true;
    // Not at once: calls that come in the same turn of the event loop start together.
    setImmediate(() => void this.#run());
  }

  /** Takes a task out after at most the step that is running. What it has computed stays, unless it is forgotten. */
  remove(task: Task): void {
    this.#tasks.delete(task);
  }

  forget(task: Task): void {
    this.remove(task);
    this.#engine.forget(task.sequence);
  }

  /** Fails every task. */
  fail(error: GlmError): void {
    for (const task of this.#tasks) {
      this.forget(task);
      task.failed(error);
    }
  }

  async #run(): Promise<void> {
    try {
      while (this.#tasks.size > 0) await this.#step(this.#next());
    } finally {
      this.#running = false;
      this.#engine.rest();
    }
  }

  /** The tasks whose turn it is: those that have begun before those that have not. */
  #next(): Task[] {
    const begun = [...this.#tasks].filter(({ sequence }) => sequence.encoded);
    const waiting = [...this.#tasks].filter(({ sequence }) => !sequence.encoded);
    const inOrder = [...begun, ...waiting];
    const together = inOrder.filter(({ sequence }) => sequence.decoding.batching).slice(0, mostTogether);
    const alone = inOrder.find(({ sequence }) => !sequence.decoding.batching);
    this.#lastWasAlone = alone !== undefined && !(this.#lastWasAlone && together.length > 0);
    return this.#lastWasAlone ? [alone!] : together;
  }

  async #step(group: readonly Task[]): Promise<void> {
    let chosen: Chosen[][];
    try {
      chosen = await this.#engine.step(group.map((task) => task.sequence));
    } catch (error) {
      for (const task of group) this.#drop(task, error);
      return;
    }
    await Promise.all(group.map((task, i) => this.#accept(task, chosen[i]!)));
  }

  async #accept(task: Task, chosen: Chosen[]): Promise<void> {
    if (!this.#tasks.has(task)) return; // it was aborted
    try {
      checkChosen(chosen);
      await task.sequence.accept(chosen);
      if (!this.#tasks.has(task)) return;
      if (task.sequence.done) this.forget(task);
      if (!task.advanced()) this.remove(task);
    } catch (error) {
      this.#drop(task, error);
    }
  }

  #drop(task: Task, error: unknown): void {
    if (!this.#tasks.has(task)) return;
    this.forget(task);
    task.failed(error);
  }
}

/** Ids below 0 say why nothing could be chosen. */
function checkChosen(chosen: readonly Chosen[]): void {
  if (chosen.some(({ ids }) => ids[0] === notFinite)) throw numericError();
  if (chosen.every(({ ids }) => ids[0] === nothingLeft)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      'expected a token that may be chosen, found every token suppressed; loosen suppress, noRepeatNgram or minTokens',
    );
  }
}
