import { readFileSync } from 'node:fs';
import path from 'node:path';

import type { Batch } from '../../ts/data/batch.js';
import { readRecords } from '../../ts/tasks/read-records.js';
import { findTask } from '../../ts/tasks/tasks.js';
import type { TaskRecord } from '../../ts/tasks/task.js';
import type { Tokenizer } from '../../ts/text/tokenizer.js';

/** Throws at the first bad record. */
export const strict = {
  add: (error: unknown) => {
    throw error;
  },
};

export const noDraw = { seed: 0, epoch: 0 };

/** The records of a file, as the task reads them. */
export const recordsOf = (name: string, file: string): Promise<TaskRecord[]> =>
  readRecords(findTask(name), file, strict);

/** The only example of a batch as texts: its context, and what is to be written. */
export async function shown(batch: Batch, tokenizer: Tokenizer): Promise<[context: string, target: string]> {
  const length = batch.contextLengths[0]!;
  return [
    await tokenizer.decode(batch.ids.slice(0, length)),
    await tokenizer.decode(batch.targets!.slice(length)),
  ];
}

/** The lines of the worked examples of docs/tasks.md whose block begins with these words. */
export function workedExamples(begin: string): string[] {
  const docs = readFileSync(path.join(import.meta.dirname, '../../docs/tasks.md'), 'utf8');
  const blocks = Array.from(docs.matchAll(/^```(\w*)\n(.*?)\n```$/gms), ([, , block]) => block!);
  return blocks.find((block) => block.startsWith(begin))?.split('\n') ?? [];
}
