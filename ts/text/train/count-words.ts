import { Plan } from '../documents/plan.js';
import type { DocumentRules } from '../documents/document.js';
import { PartReader, usualPartBytes } from '../documents/reader.js';
import type { Source } from '../documents/sources.js';
import { startWorker } from '../start-worker.js';
import { countPart, type CountTask } from './count-part.js';
import type { CountAnswer, CountedWords, CountSetup } from './count-worker.js';
import { type TrainableType, WordCounts } from './word-counts.js';

/** Below this many bytes a thread costs more than it saves. */
const bytesPerThread = 2 * usualPartBytes;

/** Counts the words of all documents, on this thread and others. */
export async function countWords(
  sources: readonly Source[],
  rules: DocumentRules,
  type: TrainableType,
  threads: number,
): Promise<WordCounts> {
  const words = new WordCounts(type);
  const parts = new Parts(sources, rules);
  const bytes = sources.reduce((sum, { size }) => sum + size, 0);
  const others = Math.max(0, Math.min(threads, Math.floor(bytes / bytesPerThread)) - 1);
  const countedElsewhere = Array.from({ length: others }, () => countInWorker(parts, { type, rules }));
  await Promise.all([
    countHere(parts, rules, words),
    ...countedElsewhere.map(async (counted) => {
      const { words: found, counts } = await counted;
      words.addAll(found, counts);
    }),
  ]);
  return words;
}

/** What is still to be counted. */
class Parts {
  readonly #sources: readonly Source[];
  readonly #plan: Plan;

  constructor(sources: readonly Source[], rules: DocumentRules) {
    this.#sources = sources;
    this.#plan = new Plan(sources, rules, usualPartBytes);
  }

  next(): CountTask | undefined {
    const planned = this.#plan.next();
    return planned && { planned, source: this.#sources[planned.source]! };
  }

  done({ planned }: CountTask, last: boolean): void {
    if (last) this.#plan.endsWith(planned);
  }
}

async function countHere(parts: Parts, rules: DocumentRules, words: WordCounts): Promise<void> {
  const reading = new PartReader(rules);
  try {
    for (let task = parts.next(); task !== undefined; task = parts.next())
      parts.done(task, await countPart(task, reading, words));
  } finally {
    await reading.close();
  }
}

/** Lets a new thread take parts until there are none. */
function countInWorker(parts: Parts, setup: CountSetup): Promise<CountedWords> {
  const worker = startWorker(new URL('./count-worker', import.meta.url), setup);
  return new Promise((resolve, reject) => {
    let task = parts.next();
    worker.postMessage(task);
    worker.on('message', (answer: CountAnswer) => {
      if ('words' in answer) return resolve(answer);
      parts.done(task!, answer.last);
      task = parts.next();
      worker.postMessage(task);
    });
    worker.on('error', reject);
  });
}
