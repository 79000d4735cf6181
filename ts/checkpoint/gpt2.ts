/**
 * GPT-2 as a GLM: with no context that is seen in both directions and no block positions, the architectures are one. The
 * Hub's port keeps linear layers transposed (`Conv1D`: [in, out]).
 */

import { GlmError } from '../errors.js';
import type { GlmConfigInput } from '../model/config.js';
import { transpose, type Weight, whole } from './weight.js';
import type { FileArray } from '../io/file-array.js';

const outside: Readonly<Record<string, string>> = {
  'wte.weight': 'word_embeddings.weight',
  'wpe.weight': 'transformer.position_embeddings.weight',
  'ln_f.weight': 'transformer.final_layernorm.weight',
  'ln_f.bias': 'transformer.final_layernorm.bias',
};

const inLayer: Readonly<Record<string, string>> = {
  ln_1: 'input_layernorm',
  'attn.c_attn': 'attention.query_key_value',
  'attn.c_proj': 'attention.dense',
  ln_2: 'post_attention_layernorm',
  'mlp.c_fc': 'mlp.dense_h_to_4h',
  'mlp.c_proj': 'mlp.dense_4h_to_h',
};

/** The parameter that a tensor of GPT-2 is; undefined for masks and the output projection, which is the word embedding. */
export function fromGpt2(name: string, array: FileArray): { name: string; weight: Weight } | undefined {
  const plain = name.replace(/^transformer\./, '');
  const place = Object.hasOwn(outside, plain) ? outside[plain] : undefined;
  if (place !== undefined) return { name: place, weight: whole(array) };
  const [, layer, part, kind] = /^h\.(\d+)\.(.+)\.(weight|bias)$/.exec(plain) ?? [];
  if (part === undefined || !Object.hasOwn(inLayer, part)) return undefined;
  const isMatrix = kind === 'weight' && array.shape.length === 2;
  return {
    name: `transformer.layers.${layer}.${inLayer[part]}.${kind}`,
    weight: whole(isMatrix ? transpose(array) : array),
  };
}

export function isGpt2(
  config: Readonly<Record<string, unknown>> | undefined,
  names: Iterable<string>,
): boolean {
  if (config !== undefined) return config['model_type'] === 'gpt2';
  for (const name of names) if (/^(transformer\.)?wte\.weight$/.test(name)) return true;
  return false;
}

/** Our configuration for one of GPT-2. Throws `GLM_INCOMPATIBLE_MODEL` for variants that compute otherwise. */
export function gpt2Config(config: Readonly<Record<string, unknown>>): Partial<GlmConfigInput> {
  const expect = (key: string, ...values: unknown[]) => {
    const found = config[key];
    if (found === undefined || values.includes(found)) return;
    throw new GlmError(
      'GLM_INCOMPATIBLE_MODEL',
      `expected a GPT-2 with ${key} ${values.map((value) => JSON.stringify(value)).join(' or ')}, found ${JSON.stringify(found)}`,
    );
  };
  expect('activation_function', 'gelu_new', 'gelu_pytorch_tanh', 'gelu_fast', 'gelu');
  expect('scale_attn_weights', true);
  expect('scale_attn_by_inverse_layer_idx', false);
  expect('add_cross_attention', false);
  expect('tie_word_embeddings', true);
  expect('n_inner', null, typeof config['n_embd'] === 'number' ? 4 * config['n_embd'] : null);
  const keys = {
    num_layers: 'n_layer',
    hidden_size: 'n_embd',
    num_attention_heads: 'n_head',
    vocab_size: 'vocab_size',
    max_sequence_length: 'n_positions',
    layernorm_epsilon: 'layer_norm_epsilon',
    embedding_dropout_prob: 'embd_pdrop',
    attention_dropout_prob: 'attn_pdrop',
    output_dropout_prob: 'resid_pdrop',
    initializer_range: 'initializer_range',
  };
  const ours = Object.entries(keys).filter(([, theirs]) => config[theirs] !== undefined);
  return {
    block_position_encoding: false,
    gelu: config['activation_function'] === 'gelu' ? 'erf' : 'tanh',
    ...(Object.fromEntries(ours.map(([key, theirs]) => [key, config[theirs]])) as Partial<GlmConfigInput>),
  };
}
