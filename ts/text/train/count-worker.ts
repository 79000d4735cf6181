// A worker thread that counts words: gets parts of files one by one and says when each is done; when it is told
// that there are no more, it gives its counts.
import { parentPort, workerData } from 'node:worker_threads';
import type { DocumentRules } from '../documents/document.js';
import { PartReader } from '../documents/reader.js';
import { countPart, type CountTask } from './count-part.js';
import { type TrainableType, WordCounts } from './word-counts.js';

/** What the thread is started with. */
export interface CountSetup {
  readonly type: TrainableType;
  readonly rules: DocumentRules;
}

export interface CountedWords {
  readonly words: readonly string[];
  readonly counts: Float64Array;
}

/** What the thread answers: whether a part was its source's last, or in the end the counts. */
export type CountAnswer = { readonly last: boolean } | CountedWords;

const port = parentPort!;
const { type, rules } = workerData as CountSetup;
const words = new WordCounts(type);
const reading = new PartReader(rules);

async function onMessage(task: CountTask | undefined): Promise<void> {
  if (task !== undefined) {
    port.postMessage({ last: await countPart(task, reading, words) } satisfies CountAnswer);
    return;
  }
  await reading.close();
  const counts = words.counts();
  port.postMessage({ words: words.words(), counts } satisfies CountAnswer, [counts.buffer as ArrayBuffer]);
  port.close();
}

port.on('message', (task: CountTask | undefined) => void onMessage(task));
