import type { Batch } from '../data/batch.js';
import { GlmError } from '../errors.js';
import { feed } from '../model/feed.js';
import { type Network, rowLogits } from '../model/transformer.js';
import type {
  NativeBatch,
  NativeCacheRows,
  NativeCacheStep,
  NativeKeyValueCache,
  NativeRecordedStep,
  NativeTensor,
} from '../native.js';

/** Shapes that are remembered; a recorded one has the memory of a step's activations. */
const mostShapes = 8;

/** Whole contexts, those of their tokens whose logits are wanted, and the caches they go to. */
export interface EncodingStep {
  batch: Batch;
  wanted: Int32Array;
  caches: NativeKeyValueCache[];
}

/** New tokens, and how they use their sequences' caches. */
export interface DecodingStep extends EncodingStep {
  cacheRows: NativeCacheRows;
}

/** An empty cache for a sequence of the model. */
export function newCache({ config, device, dtype }: Network): NativeKeyValueCache {
  const heads = config.num_attention_heads;
  return device.keyValueCache({
    layers: config.num_layers,
    heads,
    headWidth: config.hidden_size / heads,
    dtype,
  });
}

/** A step that was recorded, and where the logits appear each time it runs. */
interface Recording {
  step: NativeRecordedStep;
  logits: NativeTensor;
}

/**
 * Computes the logits of steps. Of decoding steps of one shape the first is enqueued op by op, the second is recorded as well, and
 * those that follow are one call each; on a GPU they are a graph.
 */
export class RecordedSteps {
  readonly #network: Network;
  /** By shape, that used last at the end; undefined for one that has come once. */
  readonly #shapes = new Map<string, Recording | undefined>();
  /** Of the parameters, when the shapes were recorded. */
  #changes = 0;

  constructor(network: Network) {
    this.#network = network;
  }

  /** Hands the logits of the wanted tokens to `use`, which enqueues what reads them. */
  encode<T>(step: EncodingStep | DecodingStep, use: (logits: NativeTensor) => T): T {
    const logits = this.#prepared(step, (batch, cached) => rowLogits(this.#network, batch, cached));
    const result = use(logits);
    logits.dispose();
    return result;
  }

  /** The same for tokens behind what is in caches. */
  decode<T>(step: DecodingStep, use: (logits: NativeTensor) => T): T {
    const { changes } = this.#network.parameters;
    if (changes !== this.#changes) this.clear();
    this.#changes = changes;
    const shape = `${step.batch.offsets.join()} ${step.wanted.join()}`;
    if (!this.#shapes.has(shape)) {
      this.#remember(shape, undefined);
      return this.encode(step, use);
    }
    const recording = this.#again(this.#shapes.get(shape), step);
    if (recording === undefined) return this.encode(step, use);
    this.#remember(shape, recording);
    return use(recording.logits);
  }

  /** Forgets all shapes, and gives back the memory of their recordings. */
  clear(): void {
    for (const shape of [...this.#shapes.keys()]) this.#forget(shape);
  }

  /** Runs a step with its recording, or with a new one where it sees more keys. Undefined where there is no room for one. */
  #again(recording: Recording | undefined, step: DecodingStep): Recording | undefined {
    const { batch, wanted, caches, cacheRows } = step;
    if (recording?.step.run({ ...batch, rows: wanted }, caches, cacheRows)) return recording;
    try {
      return this.#record(step);
    } catch (error) {
      if (!(error instanceof GlmError) || error.code !== 'GLM_OUT_OF_MEMORY') throw error;
      this.clear();
      return undefined;
    }
  }

  #record(step: DecodingStep): Recording {
    return this.#prepared(step, (batch, cached) => {
      let logits: NativeTensor | undefined;
      const recorded = this.#network.device.recordStep(cached, () => {
        logits = rowLogits(this.#network, batch, cached);
      });
      return { step: recorded, logits: logits! };
    });
  }

  #prepared<T>(
    { batch: arrays, wanted, caches, cacheRows }: EncodingStep & Partial<DecodingStep>,
    body: (batch: NativeBatch, cached: NativeCacheStep) => T,
  ): T {
    const batch = feed(this.#network, arrays, { rows: wanted });
    try {
      const cached = this.#network.device.cacheStep(batch, caches, cacheRows);
      try {
        return body(batch, cached);
      } finally {
        cached.dispose();
      }
    } finally {
      batch.dispose();
    }
  }

  #remember(shape: string, recording: Recording | undefined): void {
    if (this.#shapes.get(shape) === recording) this.#shapes.delete(shape);
    else this.#forget(shape);
    this.#shapes.set(shape, recording);
    if (this.#shapes.size > mostShapes) this.#forget(this.#shapes.keys().next().value!);
  }

  #forget(shape: string): void {
    const recording = this.#shapes.get(shape);
    recording?.step.dispose();
    recording?.logits.dispose();
    this.#shapes.delete(shape);
  }
}
