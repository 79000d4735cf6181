import { availableParallelism } from 'node:os';
import { GlmError } from '../../errors.js';
import type { SubwordDefinition } from '../definition.js';
import { usualRules } from '../documents/document.js';
import { errorFromWorker, startWorker } from '../start-worker.js';
import { leastBpeVocabulary } from './train-bpe.js';
import { leastWordPieceVocabulary } from './train-word-piece.js';
import type { TrainTask } from './train-worker.js';
import type { TrainableType } from './word-counts.js';

export interface TrainTokenizerOptions {
  /**
   * 'bpe': byte-level byte pair encoding, as GPT-2 has it; it can write any text. 'wordpiece': word pieces of
   * lower-cased text, as BERT has them.
   */
  readonly type: TrainableType;
  /**
   * Number of tokens, the special ones included. Fewer come out only if the text does not have enough
   * different words.
   */
  readonly vocabSize: number;
  /** The field of .jsonl files and the column of .parquet files that holds the text. 'text' */
  readonly field?: string | undefined;
  /** Threads that count words; by default one for each core. They do not change the result. */
  readonly threads?: number;
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const leastVocabulary: Record<TrainableType, number> = {
  bpe: leastBpeVocabulary,
  wordpiece: leastWordPieceVocabulary,
};
const largestVocabulary = 1 << 20;

/**
 * Trains a vocabulary on text files, on threads of its own. The same files give the same vocabulary.
 * @param paths what Corpus.open takes: .txt, .jsonl and .parquet files, each also as .gz, folders and globs; a file with
 *   another name is plain text
 */
export async function trainSubwords(
  paths: string | readonly string[],
  options: TrainTokenizerOptions,
): Promise<SubwordDefinition> {
  const task = checkedTask(paths, options);
  const { signal } = options;
  signal?.throwIfAborted();

  const worker = startWorker(new URL('./train-worker', import.meta.url), task);
  const stop = (): void => void worker.terminate();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error) => reject(errorFromWorker(error)));
      worker.once('exit', () =>
        reject(signal?.reason ?? new Error('the training thread ended without a result')),
      );
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

function checkedTask(paths: string | readonly string[], options: TrainTokenizerOptions): TrainTask {
  const list: readonly unknown[] = typeof paths === 'string' ? [paths] : paths;
  const invalid = (expected: string, found: unknown): GlmError =>
    new GlmError(
      'GLM_INVALID_ARGUMENT',
      `Tokenizer.train: expected ${expected}, found ${JSON.stringify(found)}`,
    );
  if (!Array.isArray(list) || list.length === 0)
    throw invalid('the path of a text file, or a list of them', paths);
  for (const path of list) if (typeof path !== 'string') throw invalid('paths of text files', path);
  const { type, vocabSize, field = usualRules.field, threads = availableParallelism() } = options ?? {};
  if (typeof field !== 'string') throw invalid('field to be a string', field);
  if (!Object.hasOwn(leastVocabulary, type)) throw invalid(`type 'bpe' or 'wordpiece'`, type);
  const least = leastVocabulary[type];
  if (!Number.isInteger(vocabSize) || vocabSize < least || vocabSize > largestVocabulary) {
    throw invalid(
      `vocabSize to be a whole number from ${least} to ${largestVocabulary} for type '${type}'`,
      vocabSize,
    );
  }
  if (!Number.isInteger(threads) || threads < 1)
    throw invalid('threads to be a whole number from 1', threads);
  return { paths: list as string[], rules: { ...usualRules, field }, type, vocabSize, threads };
}
