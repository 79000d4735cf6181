import { GlmError } from '../errors.js';
import { elementCount } from '../shape.js';
import type { GlmConfig } from './config.js';
import { parameterTable } from './parameters.js';

/** What decides how much memory the gradients of a batch take. */
export interface StepSizes {
  tokens: number;
  /** Tokens that have a loss. */
  rows: number;
  dtype: 'float32' | 'bfloat16';
  /** Whether a micro-batch before has left gradients that this one adds to. */
  accumulating: boolean;
}

/** Bytes of logits that the loss has at a time (`cpp/cpu/cross_entropy.cpp`), and of a product's packed operands. */
const [logitsBytes, packedBytes] = [96 * 2 ** 20, 10 * 2 ** 20];

/**
 * About the most bytes that a batch's forward and backward take on top of what is there before: activations, gradients of
 * the parameters, and scratch. In widths of the model, a layer keeps 10 for each token (qkv 3, attended 1, both residual
 * sums 2, the wide layer 4; layer norms are rebuilt), a checkpointed one keeps 1, and the backward of a layer works with
 * up to 9 more.
 */
export function stepBytes(
  config: GlmConfig,
  { tokens, rows, dtype, accumulating }: StepSizes,
  checkpointedLayers: number,
): number {
  const { num_layers: layers, hidden_size: h, vocab_size: vocabulary } = config;
  const width = tokens * h * (dtype === 'float32' ? 4 : 2);
  const { words, layer: ofLayer, all } = gradientBytes(config);
  const kept = (until: number) => {
    const checkpointed = Math.min(until, checkpointedLayers);
    return width * (1 + checkpointed + 10 * (until - checkpointed));
  };
  const lossScratch = Math.min(4 * rows * vocabulary, logitsBytes) + 12 * rows * h + packedBytes;
  // The first micro-batch's gradients come with the layers that they are of.
  let gradients = accumulating ? all : words;
  let most = kept(layers) + width + gradients + lossScratch;
  for (let layer = layers - 1; layer >= 0; layer--) {
    if (!accumulating) gradients += ofLayer;
    const rebuilt = layer < checkpointedLayers ? 9 * width : 0;
    most = Math.max(most, kept(layer + 1) + rebuilt + 6 * width + gradients + packedBytes);
  }
  return Math.max(most, all + 3 * width);
}

function gradientBytes(config: GlmConfig): { words: number; layer: number; all: number } {
  let [words, layer, all] = [0, 0, 0];
  for (const { name, shape } of parameterTable(config)) {
    const bytes = 4 * elementCount(shape);
    all += bytes;
    if (name.startsWith('word_embeddings')) words = bytes;
    if (name.startsWith('transformer.layers.0.')) layer += bytes;
  }
  return { words, layer, all };
}

/**
 * The fewest layers to checkpoint so that a micro-batch fits into a budget.
 * @param held bytes of parameters and moments
 * @throws GlmError GLM_OUT_OF_MEMORY where it does not fit with all of them
 */
export function layersToCheckpoint(
  config: GlmConfig,
  sizes: StepSizes,
  { budget, held }: { budget: number; held: number },
): number {
  const { num_layers: layers } = config;
  for (let checkpointed = 0; checkpointed <= layers; checkpointed++)
    if (held + stepBytes(config, sizes, checkpointed) <= budget) return checkpointed;
  const least = held + stepBytes(config, sizes, layers);
  throw new GlmError(
    'GLM_OUT_OF_MEMORY',
    `expected a memoryBudget of ${mebibytes(least)} or more for ${sizes.tokens} tokens (${mebibytes(held)} of them for ` +
      `parameters and moments), found ${mebibytes(budget)}; take fewer examples into a micro-batch and accumulate more of them`,
  );
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
