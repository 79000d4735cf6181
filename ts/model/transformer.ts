/**
 * The forward pass of a GLM: a pre-layer-norm transformer whose every token is placed by two positions, and whose
 * attention sees the context in both directions and the spans from left to right (paper, section 2; `GPT2ParallelTransformer`
 * and `ParallelTransformerLayer` of the original's `mpu/transformer.py`). Ops are enqueued, nothing here waits.
 *
 * N tokens of all examples lie in one row, h is the model's width.
 */

import { GlmError } from '../errors.js';
import type { NativeBatch, NativeCacheStep, NativeDevice, NativeDropout, NativeTensor } from '../native.js';
import { checkpoint, scope } from '../tensor/scope.js';
import type { GlmConfig } from './config.js';
import type { ModelParameters } from './parameters.js';
import { encodePrompts } from './prompt-encoder.js';

type LinearOptions = NonNullable<Parameters<NativeDevice['linear']>[3]>;

/** What a model computes with. */
export interface Network {
  device: NativeDevice;
  config: GlmConfig;
  parameters: ModelParameters;
  /** The type of activations. */
  dtype: 'float32' | 'bfloat16';
  /** cos and sin of rotary positions [positions, head width / 4, 2]; only with `position_encoding: 'rotary'`. */
  rotary?: NativeTensor | undefined;
}

/** What a training step adds to the forward pass. */
export interface Training {
  dropout: { embedding: number; attention: number; output: number };
  seed: number;
  /** Counts micro-batches over the whole run, so that no two draw the same numbers. */
  draw: number;
  /** Layers whose activations are computed again in the backward, rather than kept. */
  checkpointedLayers: number;
}

/**
 * Hidden states of every token, [N, h], after the final layer norm. With `cached`, keys and values go to caches and come
 * from there: the batch need hold only the tokens that are new.
 */
export function hiddenStates(
  network: Network,
  batch: NativeBatch,
  training?: Training,
  cached?: NativeCacheStep,
): NativeTensor {
  let x = embed(network, batch, training);
  for (let i = 0; i < network.config.num_layers; i++) {
    const region = training !== undefined && i < training.checkpointedLayers ? checkpoint : scope;
    const input = x;
    x = region(network.device, () => layer(network, batch, input, i, training, cached));
    input.dispose(); // a recorded computation keeps what its backward needs
  }
  return layerNorm(network, 'transformer.final_layernorm', x);
}

/** Word or prompt, position and block position embeddings, added. [N, h] */
function embed(network: Network, batch: NativeBatch, training?: Training): NativeTensor {
  const { device, config, parameters, dtype } = network;
  return scope(device, () =>
    device.embedding(batch, parameters.get('word_embeddings.weight'), {
      prompts: batch.hasPrompts ? encodePrompts(network) : undefined,
      positionTable: parameters.find('transformer.position_embeddings.weight'),
      blockTable: parameters.find('transformer.block_position_embeddings.weight'),
      dtype,
      dropout: dropoutAt(config, training, 'embedding', 0),
    }),
  );
}

/** x + attention(layer norm(x)), then x + MLP(layer norm(x)). [N, h] to [N, h] */
function layer(
  network: Network,
  batch: NativeBatch,
  x: NativeTensor,
  index: number,
  training?: Training,
  cached?: NativeCacheStep,
): NativeTensor {
  const { device, config, rotary } = network;
  const name = `transformer.layers.${index}`;
  const dropout = (kind: 'attention' | 'output', place: number) =>
    dropoutAt(config, training, kind, 1 + 3 * index + place);

  const qkv = linear(
    network,
    `${name}.attention.query_key_value`,
    layerNorm(network, `${name}.input_layernorm`, x),
  );
  const attended =
    cached === undefined
      ? device.attention(batch, qkv, {
          heads: config.num_attention_heads,
          rotary,
          dropout: dropout('attention', 0),
        })
      : device.attentionCached(cached, index, qkv, rotary);
  x = linear(network, `${name}.attention.dense`, attended, { residual: x, dropout: dropout('output', 1) });

  const wide = linear(
    network,
    `${name}.mlp.dense_h_to_4h`,
    layerNorm(network, `${name}.post_attention_layernorm`, x),
  );
  return linear(network, `${name}.mlp.dense_4h_to_h`, wide, {
    activation: `gelu_${config.gelu}`,
    residual: x,
    dropout: dropout('output', 2),
  });
}

/** The loss of each of the batch's rows, [rows], against its targets; the vocabulary projection is the word embedding. */
export function rowLosses(
  network: Network,
  batch: NativeBatch,
  options: { training?: Training; smoothing?: number; gradientScale?: number; cached?: NativeCacheStep } = {},
): NativeTensor {
  const { device, config, parameters } = network;
  checkPredicts(config);
  const { training, cached, ...loss } = options;
  return scope(device, () => {
    const hidden = device.gatherRows(batch, hiddenStates(network, batch, training, cached));
    return device.crossEntropy(batch, hidden, parameters.get('word_embeddings.weight'), loss);
  });
}

/** Logits of the batch's rows over the vocabulary, [rows, V], in float32 whatever the model computes with. */
export function rowLogits(network: Network, batch: NativeBatch, cached?: NativeCacheStep): NativeTensor {
  const { device, config, parameters } = network;
  checkPredicts(config);
  return scope(device, () =>
    device.linear(rowHiddenStates(network, batch, cached), parameters.get('word_embeddings.weight'), null),
  );
}

/** Hidden states of the batch's rows, [rows, h], in float32 whatever the model computes with. */
export function rowHiddenStates(
  network: Network,
  batch: NativeBatch,
  cached?: NativeCacheStep,
): NativeTensor {
  const { device } = network;
  return scope(device, () => {
    const hidden = device.gatherRows(batch, hiddenStates(network, batch, undefined, cached));
    return device.cast(hidden, 'float32');
  });
}

/** A configuration with `output_predict: false` is of a model that gives hidden states only. */
function checkPredicts({ output_predict }: GlmConfig): void {
  if (output_predict) return;
  throw new GlmError(
    'GLM_INCOMPATIBLE_MODEL',
    'expected a model that predicts tokens, found output_predict false in its configuration: it gives hidden states only ' +
      '(hiddenStates); load it with config: { output_predict: true } to use its word embeddings as an output projection',
  );
}

function layerNorm({ device, config, parameters }: Network, name: string, x: NativeTensor): NativeTensor {
  return device.layerNorm(
    x,
    parameters.get(`${name}.weight`),
    parameters.get(`${name}.bias`),
    config.layernorm_epsilon,
  );
}

/**
 * dropout(activation(x) · Wᵀ + bias) + residual, where W may have an adapter: W + B · A. Its part draws the same dropout at the same
 * place, which is that of the sum.
 */
function linear(
  { device, parameters }: Network,
  name: string,
  x: NativeTensor,
  options: LinearOptions = {},
): NativeTensor {
  const [weight, bias] = [parameters.get(`${name}.weight`), parameters.get(`${name}.bias`)];
  const [a, b] = [parameters.find(`${name}.lora_a`), parameters.find(`${name}.lora_b`)];
  if (a === undefined || b === undefined) return device.linear(x, weight, bias, options);
  const { activation, residual, dropout } = options;
  const narrow = device.linear(x, a, null, { activation });
  return device.linear(x, weight, bias, {
    ...options,
    residual: device.linear(narrow, b, null, { residual, dropout }),
  });
}

/** Dropout at one place of one micro-batch; none outside training. */
function dropoutAt(
  config: GlmConfig,
  training: Training | undefined,
  kind: keyof Training['dropout'],
  place: number,
): NativeDropout | undefined {
  if (training === undefined || training.dropout[kind] === 0) return undefined;
  const places = 1 + 3 * config.num_layers;
  return { probability: training.dropout[kind], seed: training.seed, site: training.draw * places + place };
}
