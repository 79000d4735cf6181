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
  dispose(): void;
}

/** A checked batch on a device. */
export interface NativeBatch {
  dispose(): void;
}

/** Where dropout draws: the probability, the run's seed, and a site that no other draw of the run has. */
export interface NativeDropout {
  probability: number;
  seed: number;
  site: number;
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
}

/** What ids and positions must stay below; 0: not looked at. */
export interface NativeBatchLimits {
  vocabulary: number;
  positions: number;
  blockPositions: number;
}

export interface NativeDevice {
  readonly name: string;
  readonly threads: number;
  readonly instructionSet: string;
  /** Bytes of live tensors, the most there have been, and bytes held. */
  memory(): { inUse: number; peak: number; reserved: number };
  resetPeak(): void;
  trim(): void;
  synchronize(): Promise<void>;

  /** `data` left out: zeros. */
  tensor(shape: number[], dtype: DType, data: HostArray | null, requiresGradient: boolean): NativeTensor;
  normal(
    shape: number[],
    options: { mean?: number; deviation: number; seed: number; site: number; requiresGradient: boolean },
  ): NativeTensor;
  batch(arrays: NativeBatchArrays, limits: NativeBatchLimits): NativeBatch;

  openScope(): void;
  closeScope(keep: NativeTensor[], recompute: boolean): void;
  beginTape(): void;
  backward(root: NativeTensor, gradient?: NativeTensor): void;
  endTape(): void;

  /** words[ids] + positionTable[positions] + blockTable[blockPositions]: [N, h] */
  embedding(
    batch: NativeBatch,
    words: NativeTensor,
    options: {
      positionTable?: NativeTensor | undefined;
      blockTable?: NativeTensor | undefined;
      dtype: DType;
      dropout?: NativeDropout | undefined;
    },
  ): NativeTensor;
  layerNorm(x: NativeTensor, weight: NativeTensor, bias: NativeTensor, epsilon: number): NativeTensor;
  /** dropout(activation(x) · weightᵀ + bias) + residual: [N, out] */
  linear(
    x: NativeTensor,
    weight: NativeTensor,
    bias: NativeTensor | null,
    options?: {
      activation?: 'gelu_tanh' | 'gelu_erf' | undefined;
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
  /** The batch's rows of x [N, h]: [rows, h] */
  gatherRows(batch: NativeBatch, x: NativeTensor): NativeTensor;
  /** The loss of each row: [rows]. Recorded, it takes the gradient of gradientScale · Σ losses in the same pass. */
  crossEntropy(
    batch: NativeBatch,
    hidden: NativeTensor,
    words: NativeTensor,
    options?: { smoothing?: number; gradientScale?: number },
  ): NativeTensor;
  squaredGradientNorm(parameters: NativeTensor[]): Promise<number>;
  adamw(parameters: NativeAdamWParameter[], options: NativeAdamWOptions): void;
}

export interface NativeAdamWParameter {
  parameter: NativeTensor;
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

export interface NativeAddon {
  setErrorClass(errorClass: typeof GlmError): void;
  NativeDevice: new (options: { threads?: number | undefined; instructionSet?: string | undefined }) => NativeDevice;
  NativeSpanBuilder: new (options: NativeSpanOptions) => NativeSpanBuilder;
  layOutSpans(layout: NativeSpanLayout): NativeSpanBatch;
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
