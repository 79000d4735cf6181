import type { Batch } from '../data/batch.js';
import { GlmError } from '../errors.js';

/** What `data` may be, besides a corpus: the batches of each step, or a sequence of batches. */
export type BatchData =
  | ((step: number) => Iterable<Batch> | AsyncIterable<Batch> | Promise<Iterable<Batch>>)
  | Iterable<Batch>
  | AsyncIterable<Batch>;

/** The micro-batches of one step after the other. */
export interface BatchSource {
  /** The batches of a step, counted from 0; undefined when the data has ended. */
  next(step: number): Promise<Batch[] | undefined>;
  /** Lets go of an iterator that has not ended. */
  close(): Promise<void>;
}

/** A source that asks a function, or takes `perStep` batches of a sequence for each step. */
export function batchSource(data: BatchData, perStep: number): BatchSource {
  if (typeof data === 'function') {
    return {
      next: async (step) => collect(await data(step)),
      close: () => Promise.resolve(),
    };
  }
  if (typeof data === 'object' && data !== null) {
    if (Symbol.asyncIterator in data) return sequence(data[Symbol.asyncIterator](), perStep);
    if (Symbol.iterator in data) return sequence(data[Symbol.iterator](), perStep);
  }
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    'expected data to be a corpus with an objective, a function (step) => batches, or a sequence of batches',
  );
}

async function collect(batches: Iterable<Batch> | AsyncIterable<Batch>): Promise<Batch[] | undefined> {
  const all: Batch[] = [];
  for await (const batch of batches) all.push(batch);
  return all.length === 0 ? undefined : all;
}

function sequence(iterator: Iterator<Batch> | AsyncIterator<Batch>, perStep: number): BatchSource {
  return {
    async next() {
      const batches: Batch[] = [];
      while (batches.length < perStep) {
        const batch = await iterator.next();
        if (batch.done === true) break;
        batches.push(batch.value);
      }
      return batches.length === 0 ? undefined : batches;
    },
    async close() {
      await iterator.return?.();
    },
  };
}
