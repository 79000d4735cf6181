/**
 * Fine-tunes a model on a task: epochs over its records, the official metrics on dev after each, the best model kept. The
 * work is the Trainer's; what is added here are epochs, metrics and seeds.
 */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import type { Batch } from '../data/batch.js';
import { concatBatches } from '../data/batch.js';
import { Permutation } from '../data/corpus/permutation.js';
import { purposes } from '../data/corpus/draws.js';
import { GlmError } from '../errors.js';
import { writeFileAtomically } from '../files.js';
import type { DeviceOptions } from '../devices.js';
import { GLM } from '../glm.js';
import type { TrainerEvent } from '../train/events.js';
import type { TrainerOptions } from '../train/options.js';
import { Trainer } from '../train/trainer.js';
import { BadRecords } from './bad-records.js';
import { predictRecords } from './predict-records.js';
import type { PreparedTask, Task, TaskRecord, TaskSettings } from './task.js';

export interface FineTuneOptions extends DeviceOptions {
  /** A folder, or a model, which is then changed. */
  model: string | GLM;
  /** Files to learn from. */
  train: string | readonly string[];
  /** Files that are scored after each epoch; the epoch that does best is kept. */
  dev?: string | readonly string[] | undefined;
  /** Folder of the run: checkpoints to resume from, `best/`, `result.json`, predictions. Default: nothing is written. */
  out?: string | undefined;
  /** Goes on with the run in `out`. Default false. */
  resume?: boolean | undefined;
  /** The task's settings, where they are to be others. */
  epochs?: number | undefined;
  batchSize?: number | undefined;
  learningRate?: number | undefined;
  weightDecay?: number | undefined;
  warmup?: number | undefined;
  labelSmoothing?: number | undefined;
  dropout?: number | undefined;
  /** Tokens that are computed at once; a step's examples are cut up to fit. Default 8192. */
  microBatchTokens?: number | undefined;
  checkpointActivations?: number | boolean | undefined;
  /** Epochs between evaluations. Default 1. */
  evaluateEvery?: number | undefined;
  /** Of the order of the records, and of dropout. Default 0. */
  seed?: number | undefined;
  /** Counts records that say something wrong, and goes on without them. Default false: the first one throws. */
  skipBad?: boolean | undefined;
  /** Options of the task itself: pattern, maxLength, postProcess, … */
  taskOptions?: Record<string, unknown> | undefined;
  signal?: AbortSignal | undefined;
  onEvent?: ((event: FineTuneEvent) => void) | undefined;
}

export type FineTuneEvent =
  TrainerEvent | { type: 'predicting'; done: number; total: number } | ({ type: 'scored' } & ScoredEpoch);

export interface ScoredEpoch {
  /** Epochs done. */
  epoch: number;
  step: number;
  /** Mean over the steps since the last evaluation. */
  trainingLoss: number;
  /** Official, from 0 to 100; empty without dev data. */
  metrics: Record<string, number>;
}

export interface FineTuneResult {
  task: string;
  seed: number;
  records: { train: number; dev: number; bad: number };
  steps: number;
  epochs: ScoredEpoch[];
  /** The epoch whose model is kept; its metrics are the run's. */
  best: ScoredEpoch;
}

/** Fine-tunes once. Throws `GLM_DATA`, `GLM_NUMERIC` when it diverges, and what the Trainer throws. */
export async function fineTune<Record extends TaskRecord>(
  task: Task<Record>,
  options: FineTuneOptions,
): Promise<FineTuneResult> {
  const bad = new BadRecords(options.skipBad ?? false);
  const train = (await readRecords(task, options.train, bad)).filter(
    (record) => task.learns?.(record) ?? true,
  );
  const dev = options.dev === undefined ? [] : await readRecords(task, options.dev, bad);
  if (train.length === 0) {
    throw new GlmError('GLM_DATA', `expected records to learn from in ${String(options.train)}, found none`);
  }
  const before = await stateOf(options);
  const settings = before?.settings ?? resolveSettings(task.settings, options);
  const { out } = options;
  const seed = before?.seed ?? options.seed ?? 0;
  if (before !== undefined && (before.task !== task.name || before.records !== train.length)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected the run's task ${before.task} and its ${before.records} records to go on in ${out}, found ${task.name} and ` +
        `${train.length} records; give the same data, or choose another folder`,
    );
  }
  const stepsPerEpoch = Math.ceil(train.length / settings.batchSize);
  const steps = Math.round(settings.epochs * stepsPerEpoch);
  const perEvaluation = stepsPerEpoch * (options.evaluateEvery ?? 1);

  let prepared: PreparedTask<Record> | undefined;
  const data = async (step: number): Promise<Batch[]> => {
    const order = new Permutation(train.length, seed, Math.floor(step / stepsPerEpoch), purposes.order);
    const begin = (step % stepsPerEpoch) * settings.batchSize;
    const count = Math.min(settings.batchSize, train.length - begin);
    const records = Array.from({ length: count }, (_, i) => train[order.at(begin + i)]!);
    let examples = await examplesOf(prepared!, records, bad);
    // A step whose records are all bad takes another record, so that it has something to learn.
    for (let i = 0; examples.length === 0 && i < train.length; i++)
      examples = await examplesOf(prepared!, [train[i]!], bad);
    return microBatches(examples, options.microBatchTokens ?? 8192);
  };
  const trainer = await openRun({ ...options, seed }, before, settings, steps, stepsPerEpoch, data);
  const epochs = (before?.epochs ?? []).filter(({ step }) => step <= trainer.step);
  const state = (): RunState => ({ task: task.name, seed, settings, records: train.length, epochs });
  try {
    const { model } = trainer;
    if (model.tokenizer === undefined) {
      throw new GlmError('GLM_TOKENIZER', 'expected a model with a tokenizer, found one without');
    }
    const { tokenizer, config } = model;
    prepared = await task.prepare({
      positions: config.max_sequence_length,
      ...options.taskOptions,
      tokenizer,
    });
    const evaluate = async (step: number, losses: readonly number[]) => {
      const predictions = await predictRecords(prepared!, model, dev, {
        together: 32,
        signal: options.signal,
        progress: (done, total) => options.onEvent?.({ type: 'predicting', done, total }),
      });
      const scored: ScoredEpoch = {
        epoch: step / stepsPerEpoch,
        step,
        trainingLoss: losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, losses.length),
        metrics: dev.length === 0 ? {} : prepared!.score(dev, predictions),
      };
      epochs.push(scored);
      options.onEvent?.({ type: 'scored', ...scored });
      if (out === undefined) return;
      if (bestOf(epochs, task.bestBy) === scored) {
        await model.save(path.join(out, 'best'));
        const lines = prepared!.predictionLines(dev, predictions);
        await writeFileAtomically(
          path.join(out, 'best/predictions.txt'),
          lines.map((line) => `${line}\n`).join(''),
        );
      }
      await writeJson(path.join(out, stateFile), state());
    };
    const losses: number[] = [];
    const divergence = new Divergence();
    for await (const event of trainer.run()) {
      options.onEvent?.(event);
      if (event.type === 'step' && event.step === 0 && out !== undefined)
        await writeJson(path.join(out, stateFile), state());
      divergence.watch(event);
      if (event.type !== 'step') continue;
      losses.push(event.loss);
      const done = event.step + 1;
      if (done % perEvaluation !== 0 && done !== steps) continue;
      await evaluate(done, losses.splice(0));
    }
    if (epochs.length === 0) await evaluate(0, []);
    const result: FineTuneResult = {
      task: task.name,
      seed,
      records: { train: train.length, dev: dev.length, bad: bad.count },
      steps,
      epochs,
      best: bestOf(epochs, task.bestBy),
    };
    if (out !== undefined) await writeJson(path.join(out, 'result.json'), result);
    return result;
  } finally {
    trainer.dispose();
    if (trainer.model !== options.model) trainer.model.dispose();
  }
}

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
    const finished =
      rest.resume === true && folder !== undefined && (await readJson(path.join(folder, 'result.json')));
    runs.push((finished as FineTuneResult) || (await fineTune(task, { ...rest, model, seed, out: folder })));
  }
  const metrics = Object.fromEntries(
    Object.keys(runs[0]?.best.metrics ?? {}).map((name) => [
      name,
      spread(runs.map(({ best }) => best.metrics[name]!)),
    ]),
  );
  const result = { task: task.name, runs, metrics };
  if (out !== undefined && seeds > 1) await writeJson(path.join(out, 'result.json'), result);
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

const stateFile = 'fine-tune.json';

/** What a run has done, and what resuming it needs beside the trainer's own state. */
interface RunState {
  task: string;
  seed: number;
  settings: TaskSettings;
  /** Records to learn from: the order of the steps depends on their number. */
  records: number;
  epochs: ScoredEpoch[];
}

/** The state of the run that is to go on; undefined for a new one. */
async function stateOf({ resume, out }: FineTuneOptions): Promise<RunState | undefined> {
  if (resume !== true || out === undefined || !existsSync(path.join(out, 'trainer.json'))) return undefined;
  return (await readJson(path.join(out, stateFile))) as RunState | undefined;
}

/** A trainer with its model, new or from the newest checkpoint. */
async function openRun(
  options: FineTuneOptions,
  before: RunState | undefined,
  settings: TaskSettings,
  steps: number,
  checkpointEvery: number,
  data: TrainerOptions['data'],
): Promise<Trainer> {
  const { out, signal, seed } = options;
  if (before !== undefined) {
    return Trainer.resume(out!, { data, signal, ...(options.device && { device: options.device }) });
  }
  const { device, dtype, threads, instructionSet } = options;
  const model =
    typeof options.model === 'string'
      ? await GLM.load(options.model, {
          ...(device && { device }),
          ...(dtype && { dtype }),
          ...(threads && { threads }),
          ...(instructionSet && { instructionSet }),
          ...(signal && { signal }),
        })
      : options.model;
  const warmup = Math.round(settings.warmup * steps);
  return new Trainer(model, {
    data,
    steps,
    seed,
    signal,
    optimizer: settings.optimizer,
    schedule: { ...settings.schedule, warmup },
    labelSmoothing: settings.labelSmoothing,
    dropout: options.dropout,
    checkpointActivations: options.checkpointActivations,
    checkpointDir: out,
    checkpointEvery,
    keep: 1,
  });
}

function resolveSettings(settings: TaskSettings, options: FineTuneOptions): TaskSettings {
  const { learningRate, weightDecay } = options;
  return {
    epochs: options.epochs ?? settings.epochs,
    batchSize: options.batchSize ?? settings.batchSize,
    optimizer: {
      ...settings.optimizer,
      ...(learningRate !== undefined && { learningRate }),
      ...(weightDecay !== undefined && { weightDecay }),
    },
    warmup: options.warmup ?? settings.warmup,
    schedule: settings.schedule,
    labelSmoothing: options.labelSmoothing ?? settings.labelSmoothing,
  };
}

/** The records of files; names of the task's tokenizer do not matter here. */
async function readRecords<Record extends TaskRecord>(
  task: Task<Record>,
  files: string | readonly string[],
  bad: BadRecords,
): Promise<Record[]> {
  const records: Record[] = [];
  for (const file of [files].flat()) {
    for await (const record of task.read(file, bad.add)) records.push(record);
  }
  return records;
}

/** The examples of records; a record that has none is left out if that is allowed. */
async function examplesOf<Record extends TaskRecord>(
  prepared: PreparedTask<Record>,
  records: readonly Record[],
  bad: BadRecords,
): Promise<Batch[]> {
  try {
    return await prepared.examples(records);
  } catch (error) {
    if (records.length === 1) {
      bad.add(error);
      return [];
    }
    const each: Batch[] = [];
    for (const record of records) each.push(...(await examplesOf(prepared, [record], bad)));
    return each;
  }
}

/** Packs examples, in order, into batches of at most so many tokens; a longer example is a batch of its own. */
function microBatches(examples: readonly Batch[], mostTokens: number): Batch[] {
  const batches: Batch[][] = [];
  let tokens = Infinity;
  for (const example of examples) {
    if (tokens + example.ids.length > mostTokens) {
      batches.push([]);
      tokens = 0;
    }
    batches.at(-1)!.push(example);
    tokens += example.ids.length;
  }
  return batches.map(concatBatches);
}

/** The epoch with the highest metric, the first of several; the last where nothing is scored. */
function bestOf(epochs: readonly ScoredEpoch[], metric: string): ScoredEpoch {
  return epochs.reduce((best, epoch) =>
    (epoch.metrics[metric] ?? Infinity) > (best.metrics[metric] ?? -Infinity) ? epoch : best,
  );
}

/** Steps in a row without a finite loss after which a run is given up. */
const mostOverflows = 10;

/** Says so when a run diverges. */
class Divergence {
  #overflows = 0;

  watch(event: TrainerEvent): void {
    if (event.type === 'step') this.#overflows = 0;
    if (event.type !== 'overflow' || ++this.#overflows < mostOverflows) return;
    throw new GlmError(
      'GLM_NUMERIC',
      `expected the loss to stay finite, found ${mostOverflows} steps in a row, up to step ${event.step}, where it or its ` +
        'gradient is not: the fine-tune diverged; lower the learning rate, or clip more',
    );
  }
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFileAtomically(file, `${JSON.stringify(value, null, 2)}\n`);
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}
