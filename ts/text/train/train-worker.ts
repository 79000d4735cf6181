// The worker thread that trains a tokenizer. An error ends the thread and reaches the one that started it.
import { parentPort, workerData } from 'node:worker_threads';
import { GlmError } from '../../errors.js';
import type { SubwordDefinition } from '../definition.js';
import type { DocumentRules } from '../documents/document.js';
import { findSources } from '../documents/sources.js';
import { countWords } from './count-words.js';
import { trainBpe } from './train-bpe.js';
import { trainWordPiece } from './train-word-piece.js';
import type { TrainableType } from './word-counts.js';

/** What the thread is started with. */
export interface TrainTask {
  readonly paths: readonly string[];
  readonly rules: DocumentRules;
  readonly type: TrainableType;
  readonly vocabSize: number;
  readonly threads: number;
}

async function train({ paths, rules, type, vocabSize, threads }: TrainTask): Promise<SubwordDefinition> {
  const sources = await findSources(paths, { otherwise: 'text' });
  const words = await countWords(sources, rules, type, threads);
  if (words.size === 0) {
    const names = sources.map(({ file }) => file);
    throw new GlmError(
      'GLM_DATA',
      `expected text to train a tokenizer on, found no words in ${sources.length} file(s) ` +
        `(${names.slice(0, 3).join(', ')})`,
    );
  }
  const learn = type === 'bpe' ? trainBpe : trainWordPiece;
  return learn(words.words(), words.counts(), vocabSize);
}

parentPort!.postMessage(await train(workerData as TrainTask));
