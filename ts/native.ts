/**
 * The native addon: how it is found, and everything it exports, typed. No other file loads it, and nothing outside this
 * package sees these types. Ops check their arguments at the call, enqueue and return; only promises wait.
 */

import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { GlmError } from './errors.js';

/** The type of a tensor's elements. */
export type DType = 'float32' | 'bfloat16' | 'float16' | 'int32' | 'uint8';
/** Elements on the host; bfloat16 and float16 as their bits. */
export type HostArray = Float32Array | Int32Array | Uint8Array | Uint16Array;

/** A dense row-major array on a device. Disposed by its scope, or by hand. */
export interface NativeTensor {
  readonly shape: number[];
  readonly dtype: DType;
  readonly disposed: boolean;
  read(): Promise<HostArray>;
  write(elements: HostArray): void;
  readGradient(): Promise<HostArray>;
  clearGradient(): void;
  /** Whether ops that are recorded from now on take a gradient by this parameter. */
  setRequiresGradient(required: boolean): void;
  dispose(): void;
}

/** A checked batch on a device. */
export interface NativeBatch {
  /** Whether an id of it is a trained prompt's. */
  readonly hasPrompts: boolean;
  dispose(): void;
}

/** The keys and values of one sequence; grows by itself. */
export interface NativeKeyValueCache {
  dispose(): void;
}

/** A batch together with the caches that it writes and reads. */
export interface NativeCacheStep {
  dispose(): void;
}

/** A step that was recorded, to be run for the tokens that follow. */
export interface NativeRecordedStep {
  /**
   * Enqueues its ops for another batch with the caches that it reads. Results appear in the tensors that the recording made, and stay
   * until another recording of the device runs. False, and nothing is done, where it was recorded for other numbers of tokens or wanted
   * rows, or for fewer keys.
   */
  run(batch: NativeBatchArrays, caches: NativeKeyValueCache[], rows: NativeCacheRows): boolean;
  dispose(): void;
}

/** How N new tokens use the caches of their B sequences. A token sees its sequence's shared rows and those it names. */
export interface NativeCacheRows {
  /** [N] the row of its cache that each token gets */
  slots: Int32Array;
  /** [B] rows from the first on that all of a sequence's tokens see */
  shared: Int32Array;
  /** [N + 1] */
  seenOffsets: Int32Array;
  /** Rows that each token sees beside those, its own among them. */
  seen: Int32Array;
}

/** What to choose from R rows of logits. */
export interface NativeChoices {
  /** Ids from here on are never chosen. */
  limit: number;
  /** [R] how many of the likeliest; 1 when sampling */
  counts: Int32Array;
  /** [R] 0: the likeliest */
  temperatures: Float32Array;
  /** [R] 0: all */
  topK: Int32Array;
  /** [R] */
  topP: Float32Array;
  /** [R, 2] 64 bits, the lower half first */
  seeds: Int32Array;
  /** [R, 2] what a draw is a function of beside the seed: (blank, token) */
  draws: Int32Array;
  /** [R + 1] */
  forbiddenOffsets: Int32Array;
  forbidden: Int32Array;
}

/** Where dropout draws: the probability, the run's seed, and a site that no other draw of the run has. */
export interface NativeDropout {
  probability: number;
  seed: number;
  site: number;
}

/** One direction of an LSTM layer. */
export interface NativeLstmDirection {
  /** [T, 4h] what the inputs give to the gates: input, forget, cell, output */
  gates: NativeTensor;
  /** [4h, h] of the recurrence */
  weight: NativeTensor;
  /** [4h] */
  bias: NativeTensor;
}

/** The arrays of a batch, with the rows whose hidden states are wanted. */
export interface NativeBatchArrays {
  ids: Int32Array;
  positions: Int32Array;
  blockPositions: Int32Array;
  offsets: Int32Array;
  contextLengths: Int32Array;
  rows: Int32Array;
  /** One per row. */
  targets?: Int32Array | undefined;
  /** One per row: what the gradient of its loss is multiplied by. */
  weights?: Float32Array | undefined;
}

/** What ids and positions must stay below; 0: not looked at. */
export interface NativeBatchLimits {
  vocabulary: number;
  /** So many ids behind the vocabulary are trained prompts. Default 0. */
  prompts?: number;
  positions: number;
  blockPositions: number;
}

/** An array in a file; see FileArray of ts/io/file-array.ts. */
export interface NativeFileArray {
  /** Of an open file; valid during the call. */
  descriptor: number;
  type: string;
  begin: number;
  shape: readonly number[];
  strides: readonly number[];
}

/** Arrays joined along an axis: together they are `shape`. */
export interface NativeJoinedArrays {
  shape: readonly number[];
  axis: number;
  parts: readonly NativeFileArray[];
}

export interface NativeDevice {
  readonly name: string;
  readonly threads: number;
  readonly instructionSet: string;
  /** Bytes of live tensors, the most there have been, and bytes held. */
  memory(): { inUse: number; peak: number; reserved: number };
  resetPeak(): void;
  /** Gives free memory back to the system, once the work under way has ended; not waited for. */
  trim(): void;
  synchronize(): Promise<void>;

  /** `data` left out: zeros. */
  tensor(shape: number[], dtype: DType, data: HostArray | null, requiresGradient: boolean): NativeTensor;
  normal(
    shape: number[],
    options: { mean?: number; deviation: number; seed: number; site: number; requiresGradient: boolean },
  ): NativeTensor;
  /** Reads arrays into the beginning of a tensor. */
  load(tensor: NativeTensor, arrays: NativeJoinedArrays): void;
  /** A tensor over an array where it lies in its file, or null where that cannot be. */
  map(array: NativeFileArray, requiresGradient: boolean): NativeTensor | null;
  /** The parameter, or a copy of one that lies in a file or has another type. It requires a gradient. */
  trainable(parameter: NativeTensor, dtype: 'float32' | 'bfloat16'): NativeTensor;
  batch(arrays: NativeBatchArrays, limits: NativeBatchLimits): NativeBatch;

  openScope(): void;
  closeScope(keep: NativeTensor[], recompute: boolean): void;
  beginTape(): void;
  /** `gradient`, of `root`, is used up: what it holds afterwards is not defined. */
  backward(root: NativeTensor, gradient?: NativeTensor): void;
  endTape(): void;

  /**
   * words[ids] + positionTable[positions] + blockTable[blockPositions]: [N, h]. Ids behind the words are rows of `prompts`
   * (float32), which a batch that has prompts needs.
   */
  embedding(
    batch: NativeBatch,
    words: NativeTensor,
    options: {
      prompts?: NativeTensor | undefined;
      positionTable?: NativeTensor | undefined;
      blockTable?: NativeTensor | undefined;
      dtype: DType;
      dropout?: NativeDropout | undefined;
    },
  ): NativeTensor;
  /** The recurrence of a bidirectional LSTM layer of width h over T steps, in float32: [T, 2h] */
  lstm(forward: NativeLstmDirection, backward: NativeLstmDirection): NativeTensor;
  layerNorm(x: NativeTensor, weight: NativeTensor, bias: NativeTensor, epsilon: number): NativeTensor;
  /** dropout(activation(x) · weightᵀ + bias) + residual: [N, out] */
  linear(
    x: NativeTensor,
    weight: NativeTensor,
    bias: NativeTensor | null,
    options?: {
      activation?: 'gelu_tanh' | 'gelu_erf' | 'tanh' | 'relu' | undefined;
      residual?: NativeTensor | undefined;
      dropout?: NativeDropout | undefined;
    },
  ): NativeTensor;
  /** qkv [N, 3h] to [N, h], over the examples of the batch, by the GLM rule. */
  attention(
    batch: NativeBatch,
    qkv: NativeTensor,
    options: { heads: number; rotary?: NativeTensor | undefined; dropout?: NativeDropout | undefined },
  ): NativeTensor;
  /** x as float32 or bfloat16 */
  cast(x: NativeTensor, dtype: DType): NativeTensor;
  /** The batch's rows of x [N, h]: [rows, h] */
  gatherRows(batch: NativeBatch, x: NativeTensor): NativeTensor;
  /** The loss of each row: [rows]. Recorded, it takes the gradient of gradientScale · Σ losses in the same pass. */
  crossEntropy(
    batch: NativeBatch,
    hidden: NativeTensor,
    words: NativeTensor,
    options?: { smoothing?: number; gradientScale?: number },
  ): NativeTensor;
  /** `dtype` is that of the activations. */
  keyValueCache(shape: {
    layers: number;
    heads: number;
    headWidth: number;
    dtype: DType;
  }): NativeKeyValueCache;
  /** One cache for each example of the batch. Without `rows` the examples are whole, and their caches empty. */
  cacheStep(batch: NativeBatch, caches: NativeKeyValueCache[], rows?: NativeCacheRows): NativeCacheStep;
  /**
   * Runs the ops that `body` calls for a step that decodes, and records them. `body` must not read or write tensors, nor use another batch
   * or step.
   */
  recordStep(step: NativeCacheStep, body: () => void): NativeRecordedStep;
  /** Stores the keys and values of qkv [N, 3h] in the caches; attends to what the tokens see there: [N, h] */
  attentionCached(
    step: NativeCacheStep,
    layer: number,
    qkv: NativeTensor,
    rotary?: NativeTensor,
  ): NativeTensor;
  /**
   * The next tokens of each row of logits [R, V], and their log-probabilities under the raw distribution; a row after
   * the other. Id -1: a logit is not finite; -2: no (more) token may be chosen.
   */
  chooseTokens(
    logits: NativeTensor,
    choices: NativeChoices,
  ): Promise<{ ids: Int32Array; logprobs: Float32Array }>;
  squaredGradientNorm(parameters: NativeTensor[]): Promise<number>;
  adamw(parameters: NativeAdamWParameter[], options: NativeAdamWOptions): void;
}

export interface NativeAdamWParameter {
  /** float32 */
  parameter: NativeTensor;
  /** In bfloat16, which is computed with and has the gradient; it follows the parameter. */
  copy?: NativeTensor | undefined;
  firstMoment: NativeTensor;
  secondMoment: NativeTensor;
  decay: boolean;
}

export interface NativeAdamWOptions {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Multiplies the gradients, for clipping. */
  gradientScale: number;
  /** From 1, for the bias corrections. */
  step: number;
}

/** A span strategy (cpp/ops/spans.h); ids that there are none of are -1. */
export interface NativeSpanOptions {
  cls: number;
  eos: number;
  sop: number;
  eop: number;
  dblock: number;
  mask: number;
  sentenceMask: number;
  documentMask: number;
  sentinelMasks: Int32Array;
  sentinelSops: Int32Array;
  /** One per id of the vocabulary, or empty. */
  sentenceEnds: Uint8Array;
  vocabulary: number;
  maxLength: number;
  blank: number;
  sentence: number;
  document: number;
  maskRatio: number;
  sentenceRatio: number;
  minDocumentRatio: number;
  averageSpanLength: number;
  maxSpanLength: number;
  suffixProbability: number;
  singleSpanProbability: number;
  shortSequenceProbability: number;
  spanMaskProbability: number;
  contextMaskRatio: number;
  contextMaskRange: number;
  shuffle: boolean;
  blockPositions: boolean;
  randomPosition: boolean;
  maskedLanguageModel: boolean;
  threads: number;
}

/** A batch that blank infilling has made. */
export interface NativeSpanBatch {
  ids: Int32Array;
  positions: Int32Array;
  blockPositions: Int32Array;
  offsets: Int32Array;
  contextLengths: Int32Array;
  targets: Int32Array;
  lossMask: Uint8Array;
  objectives: Uint8Array;
  samples: Int32Array;
}

/** Makes batches on a thread beside the one that computes. */
export interface NativeSpanBuilder {
  build(rows: readonly Int32Array[], seed: number, index: number): Promise<NativeSpanBatch>;
}

/** Spans [begins, ends) in the order of the text; order[i] is the one that Part B has i-th. */
export interface NativeSpanLayout {
  tokens: Int32Array;
  begins: Int32Array;
  ends: Int32Array;
  order: Int32Array;
  objective: number;
  suffix: boolean;
  cls: number;
  sop: number;
  eop: number;
  mask: number;
}

/** What there is of CUDA; versions as 13000 for 13.0, 0 for none; a `reason` says why something cannot be used. */
export interface NativeCudaSystem {
  reason: string;
  driverVersion: number;
  runtimeVersion: number;
  devices: { name: string; reason: string; memoryBytes: number; computeCapability: string }[];
}

export interface NativeAddon {
  setErrorClass(errorClass: typeof GlmError): void;
  inspectCuda(): NativeCudaSystem;
  NativeDevice: new (options: {
    /** The number of a GPU; left out, the CPU, for which the rest is. */
    cuda?: number | undefined;
    threads?: number | undefined;
    instructionSet?: string | undefined;
  }) => NativeDevice;
  NativeSpanBuilder: new (options: NativeSpanOptions) => NativeSpanBuilder;
  layOutSpans(layout: NativeSpanLayout): NativeSpanBatch;
  /** The bytes of arrays, converted to `dtype`. */
  readArrays(arrays: NativeJoinedArrays, dtype: DType): Promise<Uint8Array<ArrayBuffer>>;
}

function load(): NativeAddon {
  const require = createRequire(import.meta.url);
  // ts/native.ts and dist/native.js both lie one level below the package's root.
  const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
  const nodeGypBuild = require('node-gyp-build') as (directory: string) => unknown;
  try {
    const addon = nodeGypBuild(root) as NativeAddon;
    addon.setErrorClass(GlmError);
    return addon;
  } catch (cause) {
    throw new GlmError(
      'GLM_NO_BINARY',
      `expected a native binary for ${process.platform}-${process.arch}, found none that loads; prebuilt ones are for ` +
        'x64 Linux with glibc. To build it here (CMake and a C++20 compiler are needed), run ' +
        '`npm install cmake-js node-addon-api`, then `npm rebuild glm-native` (npm 12 and later: first ' +
        '`npm install-scripts approve glm-native`)',
      { cause },
    );
  }
}

export const native: NativeAddon = load();
