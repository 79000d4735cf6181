/** What a fine-tune is told, and what it says. */

import type { DeviceOptions } from '../../devices.js';
import type { GLM } from '../../glm.js';
import type { TrainerEvent } from '../../train/events.js';
import type { TaskSettings } from '../task.js';

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
  /** Rank of adapters that are added to every linear layer of the model (LoRA). Default: none. */
  loraRank?: number | undefined;
  /** Trained prompts that are added to the model, in front of every text (P-tuning). Default: none. */
  promptLength?: number | undefined;
  /** What makes prompts of their embeddings. Default `lstm`, as the original. */
  promptEncoder?: 'lstm' | 'mlp' | 'none' | undefined;
  /**
   * New prompts begin as mixtures of a frequent word and a word of the task's description, the original's `--prompt-init`.
   * Default false: at random.
   */
  promptInit?: boolean | undefined;
  /** The pretrained weights do not learn. Default: with `loraRank` they do not, else they do. */
  freeze?: boolean | undefined;
  /** Layers that learn although the model is frozen, from the first on. Default 0. */
  tuneLayers?: number | undefined;
  /** Epochs between evaluations. Default 1. */
  evaluateEvery?: number | undefined;
  /** Records that are evaluated together. Default: the task's. */
  evaluationBatchSize?: number | undefined;
  /** Of the order of the records, of what is drawn to make examples, and of dropout. Default 0. */
  seed?: number | undefined;
  /** Counts records that say something wrong, and goes on without them. Default false: the first one throws. */
  skipBad?: boolean | undefined;
  /** Options of the task itself: pattern, maxLength, postProcess, … */
  taskOptions?: Record<string, unknown> | undefined;
  signal?: AbortSignal | undefined;
  onEvent?: ((event: FineTuneEvent) => void) | undefined;
}

export type FineTuneEvent =
  | TrainerEvent
  | { type: 'predicting'; done: number; total: number }
  | ({ type: 'scored' } & ScoredEpoch)
  /** The loss has risen far above what it was in the beginning. */
  | { type: 'diverging'; epoch: number; trainingLoss: number; before: number };

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

/** A task's settings, where they are not given otherwise. */
export function resolveSettings(settings: TaskSettings, options: FineTuneOptions): TaskSettings {
  const { learningRate, weightDecay } = options;
  return {
    epochs: options.epochs ?? settings.epochs,
    batchSize: options.batchSize ?? settings.batchSize,
    evaluationBatchSize: options.evaluationBatchSize ?? settings.evaluationBatchSize,
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
