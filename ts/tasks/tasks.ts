/** The tasks that have a name. One of one's own is any object of the type Task. */

import { GlmError } from '../errors.js';
import { infilling } from './infilling/infilling.js';
import { cnndm, cnndmOriginal } from './seq2seq/cnndm.js';
import { gigaword } from './seq2seq/gigaword.js';
import { squadQuestions } from './seq2seq/squad-questions.js';
import { textToText } from './seq2seq/text-to-text.js';
import { xsum } from './seq2seq/xsum.js';
import { boolq } from './superglue/boolq.js';
import { cb } from './superglue/cb.js';
import { copa } from './superglue/copa.js';
import { multirc } from './superglue/multirc.js';
import { record } from './superglue/record.js';
import { rte } from './superglue/rte.js';
import { wic } from './superglue/wic.js';
import { wsc } from './superglue/wsc.js';
import type { Task, TaskRecord } from './task.js';

const superGlue = [copa, wsc, rte, wic, cb, multirc, boolq, record] as unknown as Task[];
const texts = [
  ...[cnndm, cnndmOriginal, xsum, gigaword, squadQuestions, textToText],
  infilling,
] as unknown as Task[];

/** By name. */
export const fineTuningTasks: Readonly<Record<string, Task>> = Object.fromEntries(
  [...superGlue, ...texts].map((task) => [task.name, task]),
);

/** Throws `GLM_INVALID_ARGUMENT`. */
export function findTask<Record extends TaskRecord>(task: string | Task<Record>): Task<Record> {
  if (typeof task !== 'string') return task;
  const found = fineTuningTasks[task];
  if (found !== undefined) return found as unknown as Task<Record>;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected one of the tasks ${Object.keys(fineTuningTasks).join(', ')}, found "${task}"`,
  );
}

/** The mean over SuperGLUE's tasks, of each the mean of its metrics; undefined unless all eight are there. */
export function superGlueAverage(
  metrics: Readonly<Record<string, Record<string, number>>>,
): number | undefined {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  if (!superGlue.every(({ name }) => metrics[name] !== undefined)) return undefined;
  return mean(superGlue.map(({ name }) => mean(Object.values(metrics[name]!))));
}
