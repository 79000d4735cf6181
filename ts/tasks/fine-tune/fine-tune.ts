/**
 * Fine-tunes a model on a task: epochs over its records, the official metrics on dev after each, the best model kept. The
 * work is the Trainer's; what is added here are epochs, metrics and seeds.
 */

import { GlmError } from '../../errors.js';
import { GLM } from '../../glm.js';
import { type GlmConfig, promptIds } from '../../model/config.js';
import { beginAsWords } from '../../model/prompt-words.js';
import type { TrainerOptions } from '../../train/options.js';
import { Trainer } from '../../train/trainer.js';
import { BadRecords } from '../bad-records.js';
import { predictRecords } from '../predict-records.js';
import { readRecords } from '../read-records.js';
import { tokenizerOf } from '../tokenizer-of.js';
import type { PreparedTask, Task, TaskRecord, TaskSettings } from '../task.js';
import { Divergence } from './divergence.js';
import { EpochBatches } from './epoch-batches.js';
import { type FineTuneOptions, type FineTuneResult, resolveSettings, type ScoredEpoch } from './options.js';
import { RunFolder, type RunState } from './run-folder.js';

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
  if (train.length === 0)
    throw bad.nothingLeft(`records to learn from in ${[options.train].flat().join(', ')}`);
  const folder = new RunFolder(options.out);
  const before = options.resume === true ? await folder.readState() : undefined;
  checkSameRun(before, task.name, train.length, options.out);
  const settings = before?.settings ?? resolveSettings(task.settings, options);
  const seed = before?.seed ?? options.seed ?? 0;

  let prepared: PreparedTask<Record> | undefined;
  const { batchSize } = settings;
  const { microBatchTokens = 8192 } = options;
  const batches = new EpochBatches(train, { batchSize, seed, microBatchTokens, bad });
  const { stepsPerEpoch } = batches;
  const steps = Math.round(settings.epochs * stepsPerEpoch);
  const trainer = await openTrainer(task, { ...options, seed }, before, settings, {
    data: (step: number) => batches.at(step, prepared!),
    steps,
    checkpointEvery: stepsPerEpoch,
  });
  try {
    const { model } = trainer;
    prepared = await task.prepare({
      positions: model.config.max_sequence_length,
      prompts: promptIds(model.config),
      ...options.taskOptions,
      tokenizer: tokenizerOf(model),
    });
    const epochs = (before?.epochs ?? []).filter(({ step }) => step <= trainer.step);
    const state = (): RunState => ({ task: task.name, seed, settings, records: train.length, epochs });
    const evaluate = async (step: number, losses: readonly number[]) => {
      const { records, predictions } = await predictRecords(prepared!, model, dev, {
        together: settings.evaluationBatchSize,
        bad,
        signal: options.signal,
        progress: (done, total) => options.onEvent?.({ type: 'predicting', done, total }),
      });
      const scored: ScoredEpoch = {
        epoch: step / stepsPerEpoch,
        step,
        trainingLoss: losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, losses.length),
        metrics: records.length === 0 ? {} : await prepared!.score(records, predictions),
      };
      epochs.push(scored);
      options.onEvent?.({ type: 'scored', ...scored });
      const { epoch, trainingLoss } = scored;
      const before = epochs[0]!.trainingLoss;
      if (Divergence.hasRisen(trainingLoss, before))
        options.onEvent?.({ type: 'diverging', epoch, trainingLoss, before });
      if (bestOf(epochs, task.bestBy) === scored)
        await folder.writeBest(model, prepared!.predictionLines(records, predictions), savedApart);
      await folder.writeState(state());
    };

    const { freeze, tuneLayers } = trainer.settings;
    const savedApart = freeze && tuneLayers === 0;
    const perEvaluation = stepsPerEpoch * (options.evaluateEvery ?? 1);
    const losses: number[] = [];
    const divergence = new Divergence();
    for await (const event of trainer.run()) {
      options.onEvent?.(event);
      divergence.watch(event);
      if (event.type !== 'step') continue;
      if (event.step === 0) await folder.writeState(state());
      losses.push(event.loss);
      const done = event.step + 1;
      if (done % perEvaluation === 0 || done === steps) await evaluate(done, losses.splice(0));
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
    await folder.writeResult(result);
    return result;
  } finally {
    trainer.dispose();
    if (trainer.model !== options.model) trainer.model.dispose();
  }
}

/** Throws `GLM_INVALID_ARGUMENT` unless a run that goes on has its own data. */
function checkSameRun(before: RunState | undefined, task: string, records: number, out?: string): void {
  if (before === undefined || (before.task === task && before.records === records)) return;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected the run's task ${before.task} and its ${before.records} records to go on in ${out}, found ${task} and ` +
      `${records} records; give the same data, or choose another folder`,
  );
}

/** A trainer with its model, new or from the newest checkpoint. */
async function openTrainer<Record extends TaskRecord>(
  task: Task<Record>,
  options: FineTuneOptions,
  before: RunState | undefined,
  settings: TaskSettings,
  { data, steps, checkpointEvery }: Pick<TrainerOptions, 'data' | 'steps' | 'checkpointEvery'>,
): Promise<Trainer> {
  const { out, signal, seed, device } = options;
  if (before !== undefined) return Trainer.resume(out!, { data, signal, ...(device && { device }) });
  const model = await openModel(task, options);
  return new Trainer(model, {
    data,
    steps,
    seed,
    signal,
    optimizer: settings.optimizer,
    schedule: { ...settings.schedule, warmup: Math.round(settings.warmup * steps) },
    labelSmoothing: settings.labelSmoothing,
    dropout: options.dropout,
    checkpointActivations: options.checkpointActivations,
    freeze: options.freeze ?? options.loraRank !== undefined,
    tuneLayers: options.tuneLayers,
    checkpointDir: out,
    checkpointEvery,
    keep: 1,
  });
}

/** The model, with what the task needs beyond it, adapters and prompts. */
async function openModel<Record extends TaskRecord>(
  task: Task<Record>,
  {
    model,
    device,
    dtype,
    threads,
    instructionSet,
    signal,
    seed,
    loraRank,
    promptLength,
    promptEncoder,
    promptInit = false,
    taskOptions = {},
  }: FineTuneOptions,
): Promise<GLM> {
  if (promptLength === undefined && (promptEncoder !== undefined || promptInit)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      'expected promptLength with promptEncoder or promptInit, found none; say how many prompts there shall be',
    );
  }
  const changes = ({ config }: GLM) =>
    Object.entries({
      ...task.adapt?.(config, taskOptions),
      ...(loraRank !== undefined && { lora_rank: loraRank }),
      ...(promptLength !== undefined && { spell_length: promptLength, spell_func: promptEncoder ?? 'lstm' }),
    }).filter(([key, value]) => config[key as keyof GlmConfig] !== value);
  if (typeof model !== 'string') {
    const [wanted] = changes(model);
    if (wanted === undefined) return model;
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected a model with ${wanted[0]} ${wanted[1]}, found ${model.config[wanted[0] as keyof GlmConfig]}; give its folder, or load ` +
        `it with { config: { ${wanted[0]}: ${wanted[1]} } }`,
    );
  }
  const options = {
    ...(device && { device }),
    ...(dtype && { dtype }),
    ...(threads && { threads }),
    ...(instructionSet && { instructionSet }),
    ...(signal && { signal }),
  };
  const asItIs = await GLM.load(model, options);
  const config = Object.fromEntries(changes(asItIs)) as Partial<GlmConfig>;
  if (Object.keys(config).length === 0) return asItIs;
  asItIs.dispose();
  const changed = await GLM.load(model, { ...options, config, seed });
  if (promptInit && config.spell_length !== undefined) {
    const taskWords = await tokenizerOf(changed).encode(` ${task.description}`);
    await beginAsWords(changed.network, taskWords, seed ?? 0);
  }
  return changed;
}

/** The epoch with the highest metric, the first of several; the last where nothing is scored. */
function bestOf(epochs: readonly ScoredEpoch[], metric: string): ScoredEpoch {
  return epochs.reduce((best, epoch) =>
    (epoch.metrics[metric] ?? Infinity) > (best.metrics[metric] ?? -Infinity) ? epoch : best,
  );
}
