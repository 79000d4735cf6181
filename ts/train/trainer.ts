import { appendFile } from 'node:fs/promises';

import type { Batch } from '../data/batch.js';
import { FolderLock } from '../io/folder-lock.js';
import { GlmError } from '../errors.js';
import { ioError } from '../files.js';
import { GLM, type LoadOptions } from '../glm.js';
import { accumulateDecisionGradients, lossCount } from '../model/decisions.js';
import { rowsWithLoss } from '../model/feed.js';
import { accumulateGradients, sum } from '../model/gradients.js';
import { layersToCheckpoint } from '../model/step-memory.js';
import { unlessAborted } from './abort.js';
import { type BatchSource, batchSource, checkData } from './batch-source.js';
import { loadMoments, RunFolder, type TrainerState } from './checkpoint.js';
import { evaluateLoss, validationBatches } from './evaluation.js';
import type {
  CheckpointEvent,
  EvaluationEvent,
  OverflowEvent,
  SamplesEvent,
  StepEvent,
  TrainerEvent,
} from './events.js';
import { describeExamples } from './examples.js';
import { Optimizer } from './optimizer.js';
import { learnsIn, resolveOptions, type TrainerOptions, type TrainerSettings } from './options.js';
import { fillSamples } from './samples.js';
import { learningRate } from './schedule.js';

/** What a resumed run is given anew; all else is in its folder. */
export type ResumeOptions = Pick<TrainerOptions, 'data' | 'objective' | 'validation' | 'signal'> &
  Pick<LoadOptions, 'device'> & {
    /** Another number of steps in all. */
    steps?: number | undefined;
  };

/** Trains a model: batches in, events out. */
export class Trainer {
  readonly model: GLM;
  readonly settings: Readonly<TrainerSettings>;
  readonly #live: Pick<TrainerOptions, 'data' | 'objective' | 'validation' | 'signal'>;
  readonly #folder: RunFolder | undefined;
  readonly #optimizer: Optimizer;
  /** Steps that were tried. */
  #step = 0;
  /** Micro-batches so far: no two draw the same dropout. */
  #draw = 0;
  #stopping = false;
  #savedStep = -1;
  #started = false;

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /** Throws `GLM_INVALID_ARGUMENT`. */
  constructor(model: GLM, options: TrainerOptions) {
    const { device, parameters, config, dtype } = model.network;
    this.model = model;
    this.settings = resolveOptions(options, config);
    if (this.settings.samples.length > 0 && model.tokenizer === undefined) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        'expected a model with a tokenizer to fill samples, found one without; give GLM.create the tokenizer',
      );
    }
    const { data, objective, validation, signal, checkpointDir } = options;
    this.#live = { data, objective, validation, signal };
    this.#folder = checkpointDir === undefined ? undefined : new RunFolder(checkpointDir);
    checkData(data, objective);
    const learns = learnsIn(this.settings);
    parameters.makeTrainable(device, dtype, learns);
    this.#optimizer = new Optimizer(device, parameters, this.settings.optimizer, learns);
  }

  /**
   * Goes on with a run from its newest checkpoint, on the device where it was unless told otherwise. With the same data and
   * device it is to the bit as if it had not stopped. The model is `trainer.model`. Throws `GLM_IO`, `GLM_CORRUPT_FILE`.
   */
  static async resume(directory: string, options: ResumeOptions): Promise<Trainer> {
    const { steps, device, signal, ...live } = options;
    const folder = new RunFolder(directory);
    const { folder: checkpoint, state } = await folder.newest();
    const { name, dtype, threads, instructionSet } = state.device;
    const where = device ?? (name as LoadOptions['device'] & string);
    const model = await GLM.load(checkpoint, {
      device: where,
      dtype: dtype as 'float32' | 'bfloat16',
      ...(where === 'cpu' && name === 'cpu' && { threads, instructionSet }),
      ...(signal && { signal }),
    });
    let trainer: Trainer | undefined;
    try {
      const settings = state.options as unknown as TrainerSettings;
      trainer = new Trainer(model, {
        ...settings,
        ...live,
        signal,
        checkpointDir: directory,
        steps: steps ?? settings.steps,
      });
      await loadMoments(checkpoint, trainer.#optimizer);
      trainer.#optimizer.updates = state.updates;
      trainer.#step = trainer.#savedStep = state.step;
      trainer.#draw = state.draw;
      return trainer;
    } catch (error) {
      trainer?.dispose();
      model.dispose();
      throw error;
    }
  }

  /** Finishes the step that is under way, writes a checkpoint and ends the run; it can be resumed. */
  stop(): void {
    this.#stopping = true;
  }

  /**
   * Runs the steps that remain. Leaving the loop stops the work and leaves the model usable. On an abort the run rejects with
   * the signal's reason, after a checkpoint. Throws `GLM_LOCKED` if another run has the folder.
   */
  async *run(): AsyncGenerator<TrainerEvent, void, void> {
    const lock = this.#folder && (await FolderLock.take(this.#folder.path));
    try {
      await this.#prepareFolder();
      for await (const event of this.#events()) {
        await this.#record(event);
        yield event;
      }
    } finally {
      await lock?.release();
    }
  }

  /** The loss on the validation data. */
  async evaluate(): Promise<EvaluationEvent> {
    const { validation, objective, signal } = this.#live;
    if (validation === undefined) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        'expected a trainer with validation data, found one without',
      );
    }
    const batches = validationBatches(validation, objective, this.settings);
    return {
      type: 'evaluation',
      step: this.#step,
      ...(await evaluateLoss(this.model.network, batches, signal)),
    };
  }

  /** Writes a checkpoint, between two steps. Throws `GLM_IO`; the one before stays. */
  save(): Promise<CheckpointEvent> {
    return this.model.gradientLock.run(() => this.#save());
  }

  async #save(): Promise<CheckpointEvent> {
    if (this.#folder === undefined) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        'expected a trainer with a checkpointDir, found one without',
      );
    }
    const path = await this.#folder.save(this.model, this.#optimizer, this.#state(), this.settings.keep);
    this.#savedStep = this.#step;
    return { type: 'checkpoint', step: this.#step, path };
  }

  /** Gives the optimizer's memory back; the model stays, and nothing of it is frozen. */
  dispose(): void {
    this.#optimizer.dispose();
    if (this.settings.freeze) this.model.network.parameters.unfreeze();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async *#events(): AsyncGenerator<TrainerEvent, void, void> {
    const { steps, evaluateEvery, checkpointEvery, samples } = this.settings;
    const { data, objective, validation, signal } = this.#live;
    const source = batchSource(data, { ...this.settings, objective }, this.#step);
    let upcoming = fetch(source, this.#step);
    const isDue = (every: number) => every > 0 && this.#step % every === 0;
    try {
      if (this.#step === 0 && samples.length > 0 && evaluateEvery > 0) yield await this.#fillSamples();
      while (this.#step < steps && !this.#stopping) {
        signal?.throwIfAborted();
        const batches = await unlessAborted(upcoming, signal);
        if (batches === undefined) break;
        await this.#folder?.describeExamples(() => describeExamples(batches, this.model.tokenizer));
        if (this.#step + 1 < steps) upcoming = fetch(source, this.#step + 1); // while this step computes
        yield await this.model.gradientLock.run(() => this.#trainStep(batches));
        if (validation !== undefined && isDue(evaluateEvery)) yield await this.evaluate();
        if (samples.length > 0 && isDue(evaluateEvery)) yield await this.#fillSamples();
        if (this.#folder && isDue(checkpointEvery)) yield await this.save();
      }
      if (this.#folder && this.#savedStep !== this.#step) yield await this.save();
      yield { type: 'done', step: this.#step, skipped: this.#skipped };
    } catch (error) {
      if (signal?.aborted && this.#folder && this.#savedStep !== this.#step) yield await this.save();
      throw error;
    } finally {
      const closed = upcoming.catch(() => undefined).then(() => source.close());
      // Data that an abort has interrupted may never end.
      if (signal?.aborted) closed.catch(() => undefined);
      else await closed;
    }
  }

  /** Greedy and alone: the same weights give the same texts, and nothing of the run's state changes. */
  async #fillSamples(): Promise<SamplesEvent> {
    const samples = await fillSamples(this.model, this.settings.samples, this.#live.signal);
    return { type: 'samples', step: this.#step, samples };
  }

  async #trainStep(batches: readonly Batch[]): Promise<StepEvent | OverflowEvent> {
    const { network } = this.model;
    const { optimizer, schedule, clip } = this.settings;
    const started = performance.now();
    const step = this.#step++;
    const rate = learningRate(optimizer.learningRate, schedule, this.#optimizer.updates);
    const lossTokens = batches.reduce((count, batch) => count + lossCount(batch), 0);
    const held = network.device.memory().inUse;
    try {
      const checkpointed = batches.map((batch, i) => this.#checkpointedLayers(batch, held, i > 0));
      const pending = Promise.all(
        batches.map((batch, i) => this.#accumulate(batch, lossTokens, checkpointed[i]!)),
      );
      pending.catch(() => undefined); // the norm rejects first when a kernel has failed
      // A decision between texts enqueues its gradients only when it knows the scores.
      if (batches.some(({ decision }) => decision?.kind === 'choices')) await pending;
      const gradientNorm = lossTokens === 0 ? 0 : await this.#optimizer.gradientNorm();
      const total = (await pending).reduce((all, values) => all + sum(values), 0);
      const loss = lossTokens === 0 ? 0 : total / lossTokens;
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        return { type: 'overflow', step, loss, gradientNorm, skipped: this.#skipped };
      }
      this.#optimizer.update(rate, gradientNorm, clip, lossTokens > 0);
      await network.device.synchronize();
      const tokens = batches.reduce((count, batch) => count + batch.ids.length, 0);
      const tokensPerSecond = (1000 * tokens) / (performance.now() - started);
      return { type: 'step', step, loss, gradientNorm, learningRate: rate, tokens, tokensPerSecond };
    } finally {
      network.parameters.clearGradients();
    }
  }

  #checkpointedLayers(batch: Batch, held: number, accumulating: boolean): number {
    const { checkpointActivations, memoryBudget: budget } = this.settings;
    if (budget === null) return checkpointActivations;
    const { config, dtype } = this.model.network;
    const sizes = { tokens: batch.ids.length, rows: rowsWithLoss(batch).rows.length, dtype, accumulating };
    return layersToCheckpoint(config, sizes, { budget, held });
  }

  #accumulate(batch: Batch, lossTokens: number, checkpointedLayers: number): Promise<Float32Array> {
    const { labelSmoothing: smoothing, dropout, seed } = this.settings;
    const training = { dropout, seed, draw: this.#draw++, checkpointedLayers };
    const options = { gradientScale: 1 / lossTokens, training };
    return batch.decision === undefined
      ? accumulateGradients(this.model.network, batch, { ...options, smoothing })
      : accumulateDecisionGradients(this.model.network, batch, batch.decision, options);
  }

  get #skipped(): number {
    return this.#step - this.#optimizer.updates;
  }

  #state(): TrainerState {
    const { device, dtype } = this.model.network;
    const { name, instructionSet, threads } = device;
    return {
      step: this.#step,
      updates: this.#optimizer.updates,
      draw: this.#draw,
      options: { ...this.settings },
      device: { name, dtype, instructionSet, threads },
    };
  }

  /** A new run must not mix with one that the folder holds; of one that was killed, something may be half done. */
  async #prepareFolder(): Promise<void> {
    if (this.#folder === undefined) return;
    if (this.#savedStep < 0 && !(await this.#folder.isEmpty())) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        `expected ${this.#folder.path} to hold no run, found checkpoints; go on with Trainer.resume, or choose another folder`,
      );
    }
    if (!this.#started) await this.#folder.restore(this.#step);
    this.#started = true;
  }

  async #record(event: TrainerEvent): Promise<void> {
    if (this.#folder === undefined || event.type === 'checkpoint') return;
    const { metrics } = this.#folder;
    await appendFile(metrics, `${JSON.stringify(event)}\n`).catch((error: unknown) => {
      throw ioError(`cannot write ${metrics}`, error);
    });
  }
}

/** The batches of a step. Leaving the run early makes no unhandled rejection of an error that nobody waits for. */
function fetch(source: BatchSource, step: number): Promise<Batch[] | undefined> {
  const batches = source.next(step);
  batches.catch(() => undefined);
  return batches;
}
