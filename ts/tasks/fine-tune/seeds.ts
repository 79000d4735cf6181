/** A fine-tune with several seeds, as the paper reports small tasks: median and spread. */

import path from 'node:path';

import { GlmError } from '../../errors.js';
import type { Task, TaskRecord } from '../task.js';
import { fineTune } from './fine-tune.js';
import type { FineTuneOptions, FineTuneResult } from './options.js';
import { RunFolder } from './run-folder.js';

export interface Spread {
  median: number;
  least: number;
  most: number;
  /** Standard deviation, of the sample. */
  deviation: number;
}

export interface SeedsResult {
  task: string;
  runs: FineTuneResult[];
  /** Of each metric over the seeds, as the paper reports them. */
  metrics: Record<string, Spread>;
}

/** Fine-tunes with several seeds, each from the model's folder anew. */
export async function fineTuneSeeds<Record extends TaskRecord>(
  task: Task<Record>,
  options: FineTuneOptions & { seeds: number },
): Promise<SeedsResult> {
  const { seeds, seed: first = 0, model, out, ...rest } = options;
  if (typeof model !== 'string') {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      'expected the folder of a model to start each seed from, found a model',
    );
  }
  const runs: FineTuneResult[] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    const folder = out === undefined || seeds === 1 ? out : path.join(out, `seed-${seed}`);
    const finished = rest.resume === true ? await new RunFolder(folder).readResult() : undefined;
    runs.push(
      (finished as FineTuneResult | undefined) ??
        (await fineTune(task, { ...rest, model, seed, out: folder })),
    );
  }
  const metrics = Object.fromEntries(
    Object.keys(runs[0]?.best.metrics ?? {}).map((name) => [
      name,
      spread(runs.map(({ best }) => best.metrics[name]!)),
    ]),
  );
  const result = { task: task.name, runs, metrics };
  if (seeds > 1) await new RunFolder(out).writeResult(result);
  return result;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (place: number) => sorted[place]!;
  const middle = (sorted.length - 1) / 2;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    least: at(0),
    most: at(sorted.length - 1),
    deviation: sorted.length < 2 ? 0 : Math.sqrt(squares / (sorted.length - 1)),
  };
}
