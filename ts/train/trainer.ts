import type { Batch } from '../data/batch.js';
import { GlmError } from '../errors.js';
import { rowsWithLoss } from '../model/feed.js';
import { accumulateGradients, losses, sum } from '../model/gradients.js';
import type { Lock } from '../model/lock.js';
import type { Network, Training } from '../model/transformer.js';
import { type BatchData, type BatchSource, batchSource } from './batch-source.js';
import { Optimizer, type OptimizerOptions, resolveOptimizer } from './optimizer.js';
import { learningRate, resolveSchedule, type Schedule, type ScheduleOptions } from './schedule.js';

/** What the trainer needs of a model; a GLM is one. */
export interface TrainableModel {
  readonly network: Network;
  readonly gradientLock: Lock;
}

export interface TrainerOptions {
  data: BatchData;
  /** Held-out batches, gone through at each evaluation. */
  validation?: Iterable<Batch> | (() => Iterable<Batch> | AsyncIterable<Batch>);
  optimizer?: OptimizerOptions;
  schedule?: ScheduleOptions;
  /** Optimizer steps in all. */
  steps: number;
  /** Batches of a sequence that make one step. Default 1. */
  gradientAccumulation?: number;
  /** The largest norm of the gradient; 0: no clipping. Default 1. */
  clip?: number;
  /** All three dropout probabilities. Default: the configuration's. */
  dropout?: number;
  /** Share of the target's weight that is spread over the vocabulary. Default 0. */
  labelSmoothing?: number;
  /** Steps between evaluations; 0: none. Default 0. */
  evaluateEvery?: number;
  /** Of dropout. Default 0. */
  seed?: number;
  signal?: AbortSignal;
}

export interface StepEvent {
  type: 'step';
  step: number;
  /** Mean over all loss tokens of the step. */
  loss: number;
  /** Before clipping. */
  gradientNorm: number;
  learningRate: number;
  /** All tokens of the step's batches. */
  tokens: number;
  tokensPerSecond: number;
}

export interface EvaluationEvent {
  type: 'evaluation';
  /** Steps done. */
  step: number;
  loss: number;
  /** Loss tokens. */
  tokens: number;
}

/** A step whose loss or gradient was not finite: nothing was updated, and the schedule stays where it is. */
export interface OverflowEvent {
  type: 'overflow';
  step: number;
  loss: number;
  gradientNorm: number;
}

export interface DoneEvent {
  type: 'done';
  step: number;
}

export type TrainerEvent = StepEvent | EvaluationEvent | OverflowEvent | DoneEvent;

const optionNames = [
  'data',
  'validation',
  'optimizer',
  'schedule',
  'steps',
  'gradientAccumulation',
  'clip',
  'dropout',
  'labelSmoothing',
  'evaluateEvery',
  'seed',
  'signal',
];

/** Trains a model: batches in, events out. */
export class Trainer {
  readonly #model: TrainableModel;
  readonly #options: TrainerOptions;
  readonly #schedule: Schedule;
  readonly #optimizer: Optimizer;
  readonly #source: BatchSource;
  readonly #dropout: Training['dropout'];
  /** Steps that were tried. */
  #step = 0;
  /** Micro-batches so far: no two draw the same dropout. */
  #draw = 0;

  constructor(model: TrainableModel, options: TrainerOptions) {
    checkTrainerOptions(options);
    this.#model = model;
    this.#options = options;
    this.#schedule = resolveSchedule(options.schedule ?? {}, options.steps);
    const { device, parameters, config } = model.network;
    this.#source = batchSource(options.data, options.gradientAccumulation ?? 1);
    this.#optimizer = new Optimizer(device, parameters, resolveOptimizer(options.optimizer ?? {}));
    this.#dropout = {
      embedding: options.dropout ?? config.embedding_dropout_prob,
      attention: options.dropout ?? config.attention_dropout_prob,
      output: options.dropout ?? config.output_dropout_prob,
    };
  }

  /** Runs the steps that remain. Leaving the loop stops the work and leaves the model usable. */
  async *run(): AsyncGenerator<TrainerEvent, void, void> {
    const { steps, evaluateEvery = 0, validation, signal } = this.#options;
    let upcoming = this.#fetch(0);
    try {
      while (this.#step < steps) {
        signal?.throwIfAborted();
        const batches = await upcoming;
        if (batches === undefined) break;
        if (this.#step + 1 < steps) upcoming = this.#fetch(this.#step + 1); // while this step computes
        yield await this.#model.gradientLock.run(() => this.#trainStep(batches));
        if (validation !== undefined && evaluateEvery > 0 && this.#step % evaluateEvery === 0)
          yield await this.evaluate();
      }
      yield { type: 'done', step: this.#step };
    } finally {
      await upcoming.catch(() => undefined);
      await this.#source.close();
    }
  }

  /** The loss on the validation batches. */
  async evaluate(): Promise<EvaluationEvent> {
    const { validation = [], signal } = this.#options;
    let [total, tokens] = [0, 0];
    for await (const batch of typeof validation === 'function' ? validation() : validation) {
      signal?.throwIfAborted();
      const values = await losses(this.#model.network, batch);
      total += sum(values);
      tokens += values.length;
    }
    return { type: 'evaluation', step: this.#step, loss: tokens === 0 ? 0 : total / tokens, tokens };
  }

  /** Gives the optimizer's memory back; the model stays. */
  dispose(): void {
    this.#optimizer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #fetch(step: number): Promise<Batch[] | undefined> {
    const batches = this.#source.next(step);
    batches.catch(() => undefined); // whoever awaits it gets the error; leaving the loop early is no unhandled one
    return batches;
  }

  async #trainStep(batches: readonly Batch[]): Promise<StepEvent | OverflowEvent> {
    const { network } = this.#model;
    const started = performance.now();
    const step = this.#step++;
    const rate = learningRate(this.#optimizer.settings.learningRate, this.#schedule, this.#optimizer.updates);
    const lossTokens = batches.reduce((count, batch) => count + rowsWithLoss(batch).rows.length, 0);
    try {
      const pending = batches.map((batch) => this.#accumulate(batch, lossTokens));
      const gradientNorm = lossTokens === 0 ? 0 : await this.#optimizer.gradientNorm();
      const total = (await Promise.all(pending)).reduce((all, values) => all + sum(values), 0);
      const loss = lossTokens === 0 ? 0 : total / lossTokens;
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
        return { type: 'overflow', step, loss, gradientNorm };
      if (lossTokens > 0) this.#optimizer.update(rate, gradientNorm, this.#options.clip ?? 1);
      await network.device.synchronize();
      const tokens = batches.reduce((count, batch) => count + batch.ids.length, 0);
      const tokensPerSecond = (1000 * tokens) / (performance.now() - started);
      return { type: 'step', step, loss, gradientNorm, learningRate: rate, tokens, tokensPerSecond };
    } finally {
      network.parameters.clearGradients();
    }
  }

  #accumulate(batch: Batch, lossTokens: number): Promise<Float32Array> {
    const { labelSmoothing = 0, seed = 0 } = this.#options;
    return accumulateGradients(this.#model.network, batch, {
      gradientScale: 1 / lossTokens,
      smoothing: labelSmoothing,
      training: { dropout: this.#dropout, seed, draw: this.#draw++, checkpointedLayers: 0 },
    });
  }
}

function checkTrainerOptions(options: TrainerOptions): void {
  const fail = (message: string): never => {
    throw new GlmError('GLM_INVALID_ARGUMENT', message);
  };
  for (const key of Object.keys(options)) {
    if (!optionNames.includes(key))
      fail(`expected the options ${optionNames.join(', ')} for Trainer, found "${key}"`);
  }
  const integer = (name: 'steps' | 'gradientAccumulation' | 'evaluateEvery' | 'seed', least: number) => {
    const value = options[name];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < least)) {
      fail(`expected ${name} to be an integer from ${least} on, found ${String(value)}`);
    }
  };
  if (options.steps === undefined) fail('expected steps, the number of optimizer steps, found none');
  integer('steps', 0);
  integer('gradientAccumulation', 1);
  integer('evaluateEvery', 0);
  integer('seed', 0);
  for (const name of ['dropout', 'labelSmoothing'] as const) {
    const value = options[name];
    if (value !== undefined && !(value >= 0 && value < 1))
      fail(`expected ${name} in [0, 1), found ${String(value)}`);
  }
  if (options.clip !== undefined && !(options.clip >= 0))
    fail(`expected clip from 0 on, found ${String(options.clip)}`);
}
