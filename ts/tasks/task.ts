/** What a fine-tuning task is: how its data is read, what the model is fed, and how it is scored. */

import type { Batch } from '../data/batch.js';
import { GlmError } from '../errors.js';
import type { GLM } from '../glm.js';
import type { GlmConfig } from '../model/config.js';
import type { OptimizerOptions } from '../train/optimizer.js';
import type { ScheduleOptions } from '../train/schedule.js';
import type { Tokenizer } from '../text/tokenizer.js';

/** The paper's settings of a task, each of which can be given. */
export interface TaskSettings {
  epochs: number;
  /** Examples of a step. */
  batchSize: number;
  /** Records that are evaluated together. */
  evaluationBatchSize: number;
  optimizer: OptimizerOptions;
  /** Share of the steps in which the learning rate rises. */
  warmup: number;
  schedule: Pick<ScheduleOptions, 'style' | 'ratio'>;
  labelSmoothing: number;
}

/** A line of a data file that has been read. */
export interface TaskRecord {
  /** For messages: `file:line`. */
  where: string;
}

/** What random draws depend on beside the record: the same in every run of a seed, others in each epoch. */
export interface Draw {
  seed: number;
  epoch: number;
}

/** From 0 to 100, as papers give them. */
export interface Scores {
  [metric: string]: number;
}

export interface PreparedTask<Record extends TaskRecord> {
  /**
   * What a step learns from some records, as examples that may be packed together in any way.
   * @param draw of tasks that make their examples at random
   * @throws GlmError GLM_DATA, GLM_TOKENIZER
   */
  examples(records: readonly Record[], draw: Draw): Promise<Batch[]>;
  /** What the model answers to some records. */
  predict(model: GLM, records: readonly Record[], signal?: AbortSignal): Promise<Prediction[]>;
  /** The official metrics. */
  score(records: readonly Record[], predictions: readonly Prediction[]): Scores | Promise<Scores>;
  /** Lines of a prediction file, as the benchmark takes them. */
  predictionLines(records: readonly Record[], predictions: readonly Prediction[]): string[];
}

/** What a model answers: the text it writes, or the place of its choice with the scores of all. */
export interface Prediction {
  text?: string;
  choice?: number;
  scores?: number[];
}

/** Options of a task itself. */
export interface TaskOptions {
  [option: string]: unknown;
}

export interface PrepareOptions extends TaskOptions {
  tokenizer: Tokenizer;
  /** Tokens of the context. Default: the task's, as far as the model has positions. */
  maxLength?: number | undefined;
  /** Positions of the model's texts. */
  positions?: number | undefined;
  /** Ids of the model's trained prompts, which stand in front of every text. Default: none. */
  prompts?: readonly number[] | undefined;
  /** Which of the task's patterns words the question. Default 0. */
  pattern?: number | undefined;
}

/** A task that models are fine-tuned on. `Record` is what a line of its data says. */
export interface Task<Record extends TaskRecord = TaskRecord> {
  name: string;
  /** What it is, in a line. */
  description: string;
  settings: TaskSettings;
  /** What the task needs of a model that this one has not: keys of its configuration. */
  adapt?: ((config: GlmConfig, options: TaskOptions) => Partial<GlmConfig>) | undefined;
  /** Whether there is something to learn from a record. Default: all have. */
  learns?: ((record: Record) => boolean) | undefined;
  /** The metric that says which checkpoint is best; higher is better. */
  bestBy: string;
  /**
   * The records of a data file, one after the other.
   * @param bad told of a line that says something wrong; throws, or counts it
   * @throws GlmError GLM_IO, GLM_DATA (file and line)
   */
  read(file: string, bad: (error: unknown) => void): AsyncIterable<Record>;
  prepare(options: PrepareOptions): Promise<PreparedTask<Record>>;
}

/** Throws `GLM_INVALID_ARGUMENT` at an option that a task does not have. */
export function checkTaskOptions(task: string, options: PrepareOptions, known: readonly string[]): void {
  const usual = ['tokenizer', 'positions', 'prompts'];
  const wrong = Object.keys(options).find((name) => !known.includes(name) && !usual.includes(name));
  if (wrong === undefined) return;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected options of ${task} among ${known.join(', ')}, found ${wrong}`,
  );
}

/**
 * What a configuration lacks: positions for the lengths that are asked for, which the original adds likewise, and a
 * classifier of so many labels, or none.
 */
export function configurationFor(config: GlmConfig, options: TaskOptions, labels = 0): Partial<GlmConfig> {
  const { maxLength, maxTargetLength } = options;
  const positions = Math.max(...[maxLength, maxTargetLength].map((length) => Number(length ?? 0)));
  return {
    ...(positions > config.max_sequence_length && { max_sequence_length: positions }),
    ...(labels !== config.num_labels && { num_labels: labels }),
  };
}
