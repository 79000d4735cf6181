import type { Batch } from '../data/batch.js';
import type { BlankInfilling } from '../data/blank-infilling.js';
import { Corpus } from '../data/corpus.js';
import { GlmError } from '../errors.js';
import type { GlmConfig } from '../model/config.js';
import type { ParameterSpec } from '../model/parameters.js';
import type { TrainingData } from './batch-source.js';
import { type OptimizerOptions, type OptimizerSettings, resolveOptimizer } from './optimizer.js';
import { resolveSchedule, type Schedule, type ScheduleOptions } from './schedule.js';

/** Held-out data, gone through at each evaluation: batches, a function that gives them, or a corpus. */
export type ValidationData = Corpus | BatchSequence | (() => BatchSequence | Promise<Iterable<Batch>>);

type BatchSequence = Iterable<Batch> | AsyncIterable<Batch>;

export interface DropoutProbabilities {
  embedding: number;
  attention: number;
  output: number;
}

export interface TrainerOptions {
  data: TrainingData;
  /** With a corpus: what is done to its rows. */
  objective?: BlankInfilling | undefined;
  validation?: ValidationData | undefined;
  optimizer?: OptimizerOptions | undefined;
  schedule?: ScheduleOptions | undefined;
  /** Optimizer steps in all. */
  steps: number;
  /** With a corpus: examples of a micro-batch. Default 8. */
  batchSize?: number | undefined;
  /** Micro-batches of a step. Default 1. */
  gradientAccumulation?: number | undefined;
  /** The largest norm of the gradient; 0: no clipping. Default 1. */
  clip?: number | undefined;
  /** All three dropout probabilities, or each. Default: the configuration's. */
  dropout?: number | Partial<DropoutProbabilities> | undefined;
  /** Share of the target's weight that is spread over the vocabulary. Default 0. */
  labelSmoothing?: number | undefined;
  /** Layers whose activations are computed again in the backward rather than kept; true: all. Default 0. */
  checkpointActivations?: number | boolean | undefined;
  /**
   * Bytes for all that training holds on the device: parameters, moments, gradients, activations. In each micro-batch as many
   * layers are checkpointed as that takes, and no more. Default: no limit.
   */
  memoryBudget?: number | null | undefined;
  /**
   * The pretrained weights stay as they are; what was added to them learns: prompts, adapters, a classifier. Default
   * false.
   * (`--freeze-transformer` of the original.)
   */
  freeze?: boolean | undefined;
  /** With `freeze`: layers that learn nevertheless, from the first on. Default 0. (`--tune-prefix-layers`.) */
  tuneLayers?: number | undefined;
  /** Folder of the run: checkpoints, metrics. Default: none is written. */
  checkpointDir?: string | undefined;
  /** Steps between checkpoints; 0: one at the end. Default 0. */
  checkpointEvery?: number | undefined;
  /** Checkpoints that stay. Default 2. */
  keep?: number | undefined;
  /** Steps between evaluations; 0: none. Default 0. */
  evaluateEvery?: number | undefined;
  /** With a corpus: samples of an evaluation. Default 64. */
  evaluationSamples?: number | undefined;
  /** Texts with blanks that are filled before the first step and every `evaluateEvery` steps. Default: none. */
  samples?: readonly string[] | undefined;
  /** Of dropout, and with a corpus of the order and the blanks. Default 0. */
  seed?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** The options with nothing left out. What can be written down; a resumed run has the same. */
export interface TrainerSettings {
  optimizer: OptimizerSettings;
  schedule: Schedule;
  steps: number;
  batchSize: number;
  gradientAccumulation: number;
  clip: number;
  dropout: DropoutProbabilities;
  labelSmoothing: number;
  checkpointActivations: number;
  /** null: no limit. */
  memoryBudget: number | null;
  freeze: boolean;
  tuneLayers: number;
  checkpointEvery: number;
  keep: number;
  evaluateEvery: number;
  evaluationSamples: number;
  samples: string[];
  seed: number;
}

const liveOptions = ['data', 'objective', 'validation', 'checkpointDir', 'signal'];
const writtenOptions = [
  'optimizer',
  'schedule',
  'steps',
  'batchSize',
  'gradientAccumulation',
  'clip',
  'dropout',
  'labelSmoothing',
  'checkpointActivations',
  'memoryBudget',
  'freeze',
  'tuneLayers',
  'checkpointEvery',
  'keep',
  'evaluateEvery',
  'evaluationSamples',
  'samples',
  'seed',
];

/** Fills in what is left out, and checks. Throws `GLM_INVALID_ARGUMENT`. */
export function resolveOptions(options: TrainerOptions, config: GlmConfig): TrainerSettings {
  if (typeof options !== 'object' || options === null)
    fail('expected the options of the Trainer, found none');
  const known = [...liveOptions, ...writtenOptions];
  for (const key of Object.keys(options)) {
    if (!known.includes(key))
      fail(`expected the options ${known.join(', ')} for the Trainer, found "${key}"`);
  }
  checkKeys('optimizer', options.optimizer, ['learningRate', 'beta1', 'beta2', 'epsilon', 'weightDecay']);
  checkKeys('schedule', options.schedule, ['style', 'warmup', 'decay', 'ratio']);
  checkKeys('dropout', options.dropout, ['embedding', 'attention', 'output']);
  if (options.steps === undefined) fail('expected steps, the number of optimizer steps, found none');
  const { checkpointActivations = 0, memoryBudget = null } = options;
  if (memoryBudget !== null && checkpointActivations)
    fail(
      'expected checkpointActivations or memoryBudget, found both; the budget decides about checkpointing',
    );
  const layers = checkpointActivations === true ? config.num_layers : Number(checkpointActivations);
  return {
    optimizer: resolveOptimizer(options.optimizer ?? {}),
    schedule: resolveSchedule(options.schedule ?? {}, options.steps),
    steps: integer('steps', options.steps, 0),
    batchSize: integer('batchSize', options.batchSize ?? 8, 1),
    gradientAccumulation: integer('gradientAccumulation', options.gradientAccumulation ?? 1, 1),
    clip: number('clip', options.clip ?? 1, 0, Infinity),
    dropout: resolveDropout(options.dropout, config),
    labelSmoothing: number('labelSmoothing', options.labelSmoothing ?? 0, 0, 1),
    checkpointActivations: integer('checkpointActivations', layers, 0),
    memoryBudget: memoryBudget === null ? null : integer('memoryBudget', memoryBudget, 1),
    ...resolveFreezing(options, config),
    checkpointEvery: integer('checkpointEvery', options.checkpointEvery ?? 0, 0),
    keep: integer('keep', options.keep ?? 2, 1),
    evaluateEvery: integer('evaluateEvery', options.evaluateEvery ?? 0, 0),
    evaluationSamples: integer('evaluationSamples', options.evaluationSamples ?? 64, 1),
    samples: texts('samples', options.samples ?? []),
    seed: integer('seed', options.seed ?? 0, 0),
  };
}

function resolveFreezing({ freeze = false, tuneLayers = 0 }: TrainerOptions, config: GlmConfig) {
  const { num_layers, lora_rank, spell_length } = config;
  if (typeof freeze !== 'boolean') fail(`expected freeze to be true or false, found ${String(freeze)}`);
  integer('tuneLayers', tuneLayers, 0);
  if (tuneLayers > num_layers)
    fail(`expected tuneLayers to be at most the model's ${num_layers} layers, found ${tuneLayers}`);
  if (tuneLayers > 0 && !freeze)
    fail('expected freeze with tuneLayers, found none; without it all layers learn');
  if (freeze && tuneLayers === 0 && lora_rank === 0 && spell_length === null)
    fail(
      'expected something that learns beside a frozen model, found nothing; give tuneLayers, prompts or adapters',
    );
  return { freeze, tuneLayers };
}

/** Which parameters a run updates. */
export function learnsIn({ freeze, tuneLayers }: Pick<TrainerSettings, 'freeze' | 'tuneLayers'>) {
  return ({ name, addition }: ParameterSpec): boolean => {
    const layer = Number(/^transformer\.layers\.(\d+)\./.exec(name)?.[1] ?? Infinity);
    return !freeze || addition !== undefined || layer < tuneLayers;
  };
}

/** Throws for a key that an option does not have: a misspelt one would train with another value than was meant. */
function checkKeys(name: string, option: unknown, known: readonly string[]): void {
  if (typeof option !== 'object' || option === null) return;
  const unknown = Object.keys(option).find((key) => !known.includes(key));
  if (unknown !== undefined) fail(`expected the keys ${known.join(', ')} of ${name}, found "${unknown}"`);
}

function resolveDropout(given: TrainerOptions['dropout'], config: GlmConfig): DropoutProbabilities {
  const each: Partial<DropoutProbabilities> =
    typeof given === 'number' ? { embedding: given, attention: given, output: given } : (given ?? {});
  return {
    embedding: number('dropout', each.embedding ?? config.embedding_dropout_prob, 0, 1),
    attention: number('dropout', each.attention ?? config.attention_dropout_prob, 0, 1),
    output: number('dropout', each.output ?? config.output_dropout_prob, 0, 1),
  };
}

function fail(message: string): never {
  throw new GlmError('GLM_INVALID_ARGUMENT', message);
}

function texts(name: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((text) => typeof text === 'string')) return [...value];
  return fail(`expected ${name} to be an array of texts, found ${JSON.stringify(value)}`);
}

function integer(name: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  return fail(`expected ${name} to be an integer from ${least} on, found ${String(value)}`);
}

function number(name: string, value: unknown, least: number, below: number): number {
  if (typeof value === 'number' && value >= least && value < below) return value;
  return fail(`expected ${name} in [${least}, ${below}), found ${String(value)}`);
}
