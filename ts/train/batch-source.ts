import type { Batch } from '../data/batch.js';
import type { BlankInfilling } from '../data/blank-infilling.js';
import { Corpus } from '../data/corpus.js';
import { GlmError } from '../errors.js';

/** What `data` may be: a corpus (with an objective), the batches of each step, or a sequence of batches. */
export type TrainingData =
  | Corpus
  | ((step: number) => Iterable<Batch> | AsyncIterable<Batch> | Promise<Iterable<Batch>>)
  | Iterable<Batch>
  | AsyncIterable<Batch>;

export interface SourceOptions {
  objective?: BlankInfilling | undefined;
  /** Examples of a micro-batch, for a corpus. */
  batchSize: number;
  /** Micro-batches of a step. */
  gradientAccumulation: number;
  seed: number;
}

/** The micro-batches of one step after the other. */
export interface BatchSource {
  /** The batches of a step, counted from 0; undefined when the data has ended. Steps are asked for in order. */
  next(step: number): Promise<Batch[] | undefined>;
  /** Lets go of an iterator that has not ended. */
  close(): Promise<void>;
}

/** Throws `GLM_INVALID_ARGUMENT` for data that cannot be used; opens nothing. */
export function checkData(data: TrainingData, objective: BlankInfilling | undefined): void {
  if (data instanceof Corpus) {
    if (objective !== undefined) return;
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      'expected an objective with a corpus, found none; give new BlankInfilling(…)',
    );
  }
  if (typeof data === 'function') return;
  if (typeof data === 'object' && data !== null && (Symbol.asyncIterator in data || Symbol.iterator in data))
    return;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    'expected data to be a corpus with an objective, a function (step) => batches, or a sequence of batches',
  );
}

/** A source of checked data that begins at step `first`, as if it had given the steps before. */
export function batchSource(data: TrainingData, options: SourceOptions, first: number): BatchSource {
  if (data instanceof Corpus) return corpusSource(data, options);
  if (typeof data === 'function') return { next: async (step) => collect(await data(step)), close: done };
  const skip = first * options.gradientAccumulation;
  return Symbol.asyncIterator in data
    ? sequence(data[Symbol.asyncIterator](), options, skip)
    : sequence(data[Symbol.iterator](), options, skip);
}

const done = () => Promise.resolve();

/** Step s has the samples s · (examples of a step) and on: the step is the only cursor. */
function corpusSource(
  corpus: Corpus,
  { objective, batchSize, gradientAccumulation, seed }: SourceOptions,
): BatchSource {
  return {
    async next(step) {
      const batches: Batch[] = [];
      for (let i = 0; i < gradientAccumulation; i++) {
        const index = (step * gradientAccumulation + i) * batchSize;
        const rows = await corpus.rows(index, batchSize, { maxLength: objective!.maxLength, seed });
        batches.push(await objective!.batch(rows, { seed, index }));
      }
      return batches;
    },
    close: done,
  };
}

async function collect(batches: Iterable<Batch> | AsyncIterable<Batch>): Promise<Batch[] | undefined> {
  const all: Batch[] = [];
  for await (const batch of batches) all.push(batch);
  return all.length === 0 ? undefined : all;
}

function sequence(
  iterator: Iterator<Batch> | AsyncIterator<Batch>,
  { gradientAccumulation }: SourceOptions,
  skip: number,
): BatchSource {
  let skipped = 0;
  return {
    async next() {
      const batches: Batch[] = [];
      while (batches.length < gradientAccumulation) {
        const batch = await iterator.next();
        if (batch.done === true) break;
        if (skipped < skip) skipped++;
        else batches.push(batch.value);
      }
      return batches.length === 0 ? undefined : batches;
    },
    async close() {
      await iterator.return?.();
    },
  };
}
