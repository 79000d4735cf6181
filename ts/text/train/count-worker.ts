// A worker thread that counts words: gets parts of files one by one and asks for the next, or is told that
// there are no more and gives its counts.
import { parentPort, workerData } from 'node:worker_threads';
import { type FilePart, readPart } from './file-parts.js';
import { type TrainableType, WordCounts } from './word-counts.js';

/** What the thread is started with. */
export interface CountTask {
  readonly type: TrainableType;
}

/** What the thread answers. */
export type CountAnswer = 'next' | { readonly words: readonly string[]; readonly counts: Float64Array };

const port = parentPort!;
const words = new WordCounts((workerData as CountTask).type);

async function onMessage(part: FilePart | undefined): Promise<void> {
  if (part !== undefined) {
    words.add(await readPart(part));
    port.postMessage('next' satisfies CountAnswer);
    return;
  }
  const counts = words.counts();
  port.postMessage({ words: words.words(), counts } satisfies CountAnswer, [counts.buffer as ArrayBuffer]);
  port.close();
}

port.on('message', (part: FilePart | undefined) => void onMessage(part));
