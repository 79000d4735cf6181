/** What is common to the tasks that a model is evaluated on as it is. */

import { GlmError } from '../../errors.js';
import type { GLM } from '../../glm.js';
import type { BadRecords } from '../bad-records.js';

export interface EvaluationOptions {
  /** Files. */
  data: string | readonly string[];
  /** Looks at texts from left to right only. Default false, but for a model that cannot do otherwise. */
  unidirectional?: boolean | undefined;
  /** Tokens of a window of text, one more than it has of a document. Default: the model's positions, 1024 at most. */
  sequenceLength?: number | undefined;
  /** Tokens that each window adds to the one before it. Default: all, or for `wikitext` 256. */
  overlap?: number | undefined;
  /** Scores of choices are divided by (number of tokens) ** lengthPenalty. Default 0. */
  lengthPenalty?: number | undefined;
  /** Examples that are computed together. Default 8, or the fine-tuning task's. */
  batchSize?: number | undefined;
  /** Counts records that say something wrong, and goes on without them. Default false: the first one throws. */
  skipBad?: boolean | undefined;
  /** File that gets what the model answers in a fine-tuning task, in the form that the benchmark takes. */
  predictions?: string | undefined;
  /** Options of a fine-tuning task: pattern, maxLength, … */
  taskOptions?: Record<string, unknown> | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** The options, with what they are when left out. */
export interface EvaluationContext extends EvaluationOptions {
  files: readonly string[];
  batchSize: number;
  progress: (done: number, total: number) => void;
  /** Told of records that say something wrong. */
  bad: BadRecords;
}

export interface Evaluated {
  /** Shares are from 0 to 100. */
  metrics: Record<string, number>;
  /** Texts that were scored. */
  examples: number;
  /** What the metrics were computed from, and how the model was asked. */
  details?: Record<string, number | string>;
}

/** A task that a model is evaluated on as it is. */
export interface Evaluation {
  name: string;
  /** What it is, in a line. */
  description: string;
  /** Options that it has beside those that every task has. */
  options: readonly (keyof EvaluationOptions)[];
  /** Examples that are computed together unless said otherwise. Default 8. */
  usualBatchSize?: number;
  run(model: GLM, context: EvaluationContext): Promise<Evaluated>;
}

const commonOptions = ['data', 'batchSize', 'skipBad', 'signal', 'onProgress'];

/** Throws `GLM_INVALID_ARGUMENT` at an option that a task does not have. */
export function checkOptions({ name, options: known }: Evaluation, options: EvaluationOptions): void {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const [wrong] = given.find(([option]) => ![...commonOptions, ...known].includes(option)) ?? [];
  if (wrong === undefined) return;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected options of ${name} among ${known.join(', ')} and those of every task, found ${wrong}`,
  );
}

/** The length of a window of text for a model. Throws `GLM_INVALID_ARGUMENT` where the model has not so many positions. */
export function sequenceLengthFor({ config }: GLM, given: number | undefined): number {
  const { max_sequence_length: most } = config;
  if (given === undefined || given <= most) return given ?? Math.min(most, 1024);
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected a sequenceLength of at most ${most}, the model's positions, found ${given}`,
  );
}
