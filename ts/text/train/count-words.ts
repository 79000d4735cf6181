import { startWorker } from '../start-worker.js';
import type { CountAnswer, CountTask } from './count-worker.js';
import { type FilePart, readPart } from './file-parts.js';
import { type TrainableType, WordCounts } from './word-counts.js';

/** Below this many parts a thread costs more than it saves. */
const partsPerThread = 4;

/** Counts the words of all parts, on this thread and others. */
export async function countWords(
  parts: readonly FilePart[],
  type: TrainableType,
  threads: number,
): Promise<WordCounts> {
  const words = new WordCounts(type);
  const queue = [...parts];
  const others = Math.min(threads, Math.floor(parts.length / partsPerThread)) - 1;
  const countedElsewhere = Array.from({ length: others > 0 ? others : 0 }, () => countInWorker(queue, type));
  const countHere = async (): Promise<void> => {
    for (let part = queue.shift(); part !== undefined; part = queue.shift()) words.add(await readPart(part));
  };
  await Promise.all([
    countHere(),
    ...countedElsewhere.map(async (counted) => {
      const { words: found, counts } = await counted;
      words.addAll(found, counts);
    }),
  ]);
  return words;
}

/** Lets a new thread work on the queue until it is empty. */
function countInWorker(queue: FilePart[], type: TrainableType): Promise<Exclude<CountAnswer, 'next'>> {
  const worker = startWorker(new URL('./count-worker', import.meta.url), { type } satisfies CountTask);
  return new Promise((resolve, reject) => {
    worker.postMessage(queue.shift());
    worker.on('message', (answer: CountAnswer) => {
      if (answer === 'next') worker.postMessage(queue.shift());
      else resolve(answer);
    });
    worker.on('error', reject);
  });
}
