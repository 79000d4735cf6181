/** What a training run left in its folder, read for the report. The run may be going on, or have been killed. */

import { open, readFile } from 'node:fs/promises';
import path from 'node:path';

import { GlmError } from '../errors.js';
import { ioError } from '../files.js';
import { type GlmConfig, type GlmConfigInput, resolveConfig } from '../model/config.js';
import type { TrainerState } from '../train/checkpoint.js';
import type {
  DoneEvent,
  EvaluationEvent,
  OverflowEvent,
  SamplesEvent,
  StepEvent,
  TrainerEvent,
} from '../train/events.js';
import type { DescribedExample } from '../train/examples.js';

export interface Run {
  name: string;
  folder: string;
  steps: StepEvent[];
  evaluations: EvaluationEvent[];
  skipped: OverflowEvent[];
  samples: SamplesEvent[];
  examples: DescribedExample[];
  /** Present when the run ended by itself or was stopped, absent while it goes on and after it was killed. */
  end: DoneEvent | undefined;
  /** Steps that were asked for, batch size and so on; absent before the first checkpoint. */
  state: TrainerState | undefined;
  config: GlmConfig | undefined;
  /** Lines that are no events, apart from half a last line. */
  unreadableLines: number;
}

/** Throws `GLM_IO` for a folder that holds no run. */
export async function readRun(folder: string): Promise<Run> {
  const metrics = path.join(folder, 'metrics.jsonl');
  const run: Run = {
    name: path.basename(path.resolve(folder)),
    folder,
    steps: [],
    evaluations: [],
    skipped: [],
    samples: [],
    examples: (await readJson<DescribedExample[]>(path.join(folder, 'examples.json'))) ?? [],
    end: undefined,
    state: await readJson<TrainerState>(path.join(folder, 'trainer.json')),
    config: await readConfig(folder),
    unreadableLines: 0,
  };
  let unreadable = false; // the last line may be half written, so one counts when another follows
  try {
    const file = await open(metrics);
    for await (const line of file.readLines()) {
      if (unreadable) run.unreadableLines++;
      const event = parseEvent(line);
      unreadable = event === undefined;
      if (event !== undefined) add(run, event);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw ioError(`cannot read ${metrics}`, error);
    throw new GlmError(
      'GLM_IO',
      `expected the folder of a training run, found no metrics.jsonl in ${folder}; check the path`,
    );
  }
  return run;
}

function add(run: Run, event: TrainerEvent): void {
  if (event.type === 'step') run.steps.push(event);
  else if (event.type === 'evaluation') run.evaluations.push(event);
  else if (event.type === 'overflow') run.skipped.push(event);
  else if (event.type === 'samples') run.samples.push(event);
  run.end = event.type === 'done' ? event : undefined; // a run that was resumed has several
}

function parseEvent(line: string): TrainerEvent | undefined {
  try {
    const event = JSON.parse(line) as Partial<TrainerEvent> | null;
    return typeof event?.type === 'string' && typeof event.step === 'number'
      ? (event as TrainerEvent)
      : undefined;
  } catch {
    return undefined;
  }
}

async function readConfig(folder: string): Promise<GlmConfig | undefined> {
  const config = await readJson<GlmConfigInput>(path.join(folder, 'config.json'));
  return config && resolveConfig(config);
}

/** A file that need not be there. */
async function readJson<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw ioError(`cannot read ${file}`, error);
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new GlmError('GLM_CORRUPT_FILE', `${file}: expected JSON, found something else`);
  }
}
