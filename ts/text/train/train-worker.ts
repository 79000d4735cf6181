// The worker thread that trains a tokenizer. An error ends the thread and reaches the one that started it.
import { parentPort, workerData } from 'node:worker_threads';
import { GlmError } from '../../errors.js';
import type { SubwordDefinition } from '../definition.js';
import { countWords } from './count-words.js';
import { fileParts } from './file-parts.js';
import { trainBpe } from './train-bpe.js';
import { trainWordPiece } from './train-word-piece.js';
import type { TrainableType } from './word-counts.js';

/** What the thread is started with. */
export interface TrainTask {
  readonly files: readonly string[];
  readonly type: TrainableType;
  readonly vocabSize: number;
  readonly threads: number;
}

async function train({ files, type, vocabSize, threads }: TrainTask): Promise<SubwordDefinition> {
  const words = await countWords(await fileParts(files), type, threads);
  if (words.size === 0) {
    throw new GlmError(
      'GLM_DATA',
      `expected text to train a tokenizer on, found no words in ${files.length} file(s) ` +
        `(${files.slice(0, 3).join(', ')})`,
    );
  }
  const learn = type === 'bpe' ? trainBpe : trainWordPiece;
  return learn(words.words(), words.counts(), vocabSize);
}

parentPort!.postMessage(await train(workerData as TrainTask));
