/**
 * Trained prompts (P-tuning, Liu et al. 2021; `PromptSpell` of the original's `model/prompt.py`): rows that stand in a text as the
 * embeddings of words do. They are learned themselves (`none`), or are what a small network makes of learned embeddings: a two-layer
 * bidirectional LSTM and an MLP (`lstm`), or the MLP alone (`mlp`).
 */

import type { NativeTensor } from '../native.js';
import { scope } from '../tensor/scope.js';
import type { GlmConfig } from './config.js';
import type { ParameterSpec } from './parameters.js';
import type { Network } from './transformer.js';

const lstmLayers = [0, 1];
const directions = ['', '_reverse'];

/** What prompts are made of, [spell_length, h]. */
export const promptEmbeddings = 'prompt_spell.spell_embeddings.weight';

/** The parameters of the prompts, named as the original's. They begin as PyTorch's do, with normal in place of uniform draws. */
export function promptTable({ spell_length, spell_func, hidden_size: h }: GlmConfig): ParameterSpec[] {
  if (spell_length === null) return [];
  const parameter = (name: string, shape: number[], deviation: number): ParameterSpec => ({
    name: `prompt_spell.${name}`,
    shape,
    initial: { deviation },
    decay: shape.length === 2,
    addition: 'prompt',
  });
  const linear = (name: string, inputs: number): ParameterSpec[] => {
    const deviation = 1 / Math.sqrt(3 * inputs);
    return [parameter(`${name}.weight`, [h, inputs], deviation), parameter(`${name}.bias`, [h], deviation)];
  };
  const direction = (suffix: string, inputs: number): ParameterSpec[] => {
    const deviation = 1 / Math.sqrt(3 * h);
    return [
      parameter(`lstm_head.weight_ih_${suffix}`, [4 * h, inputs], deviation),
      parameter(`lstm_head.weight_hh_${suffix}`, [4 * h, h], deviation),
      parameter(`lstm_head.bias_ih_${suffix}`, [4 * h], deviation),
      parameter(`lstm_head.bias_hh_${suffix}`, [4 * h], deviation),
    ];
  };
  const lstm = lstmLayers.flatMap((layer) =>
    directions.flatMap((suffix) => direction(`l${layer}${suffix}`, layer === 0 ? h : 2 * h)),
  );
  const mlp = [...linear('mlp_head.0', spell_func === 'lstm' ? 2 * h : h), ...linear('mlp_head.2', h)];
  return [
    parameter('spell_embeddings.weight', [spell_length, h], 1),
    ...(spell_func === 'lstm' ? lstm : []),
    ...(spell_func === 'none' ? [] : mlp),
  ];
}

/** The prompts of a model, [spell_length, h] in float32. */
export function encodePrompts({ device, config, parameters }: Network): NativeTensor {
  const parameter = (name: string) => parameters.get(`prompt_spell.${name}`);
  const linear = (name: string, x: NativeTensor, activation?: 'relu') =>
    device.linear(x, parameter(`${name}.weight`), parameter(`${name}.bias`), { activation });
  /** [T, inputs] to [T, 2h] */
  const lstm = (x: NativeTensor, layer: number) => {
    const [forward, backward] = directions.map((suffix) => {
      const own = (name: string) => parameter(`lstm_head.${name}_l${layer}${suffix}`);
      const gates = device.linear(x, own('weight_ih'), own('bias_ih'));
      return { gates, weight: own('weight_hh'), bias: own('bias_hh') };
    });
    return device.lstm(forward!, backward!);
  };
  return scope(device, () => {
    const embeddings = parameters.get(promptEmbeddings);
    if (config.spell_func === 'none') return embeddings;
    const x = config.spell_func === 'lstm' ? lstmLayers.reduce(lstm, embeddings) : embeddings;
    return linear('mlp_head.2', linear('mlp_head.0', x), 'relu');
  });
}
