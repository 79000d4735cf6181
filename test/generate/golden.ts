/** The cases of golden/generate_small: a small model that was trained to fill blanks, and what it fills. */

import type { GLM, LoadOptions } from '../../ts/glm.js';
import type { BlankTokens } from '../../ts/generate/options.js';
import type { GlmConfigInput } from '../../ts/model/config.js';
import { goldenJson, GoldenTensors } from '../support/golden.js';
import { goldenModel } from '../support/golden-model.js';

export interface GreedyCase {
  context: number[];
  max_tokens: number;
  min_tokens: number;
  no_repeat_ngram: number;
  blanks: {
    mask_position: number;
    ids: number[];
    finished: boolean;
    logprob: number;
    first12_logits: number[][];
  }[];
}

export interface BeamCase {
  context: number[];
  num_beams: number;
  max_tokens: number;
  min_tokens: number;
  length_penalty: number;
  hypotheses: { ids: number[]; logprob: number; score: number; finished: boolean }[];
}

interface Cases {
  config: GlmConfigInput;
  special: BlankTokens;
  greedy: GreedyCase[];
  beam: BeamCase[];
}

export const cases = goldenJson<Cases>('generate_small.json');
export const { special } = cases;

/** Options of `fill` for a greedy case. */
export function greedyOptions({ max_tokens, min_tokens, no_repeat_ngram }: GreedyCase) {
  return { maxTokens: max_tokens, minTokens: min_tokens, noRepeatNgram: no_repeat_ngram, special };
}

export async function smallModel(options?: LoadOptions): Promise<GLM> {
  const tensors = await GoldenTensors.open('generate_small.safetensors');
  const prefix = tensors.names.some((name) => name.startsWith('weights.')) ? 'weights.' : '';
  return goldenModel(tensors, prefix, cases.config, options);
}

export function close(a: number, b: number, tolerance = 1e-4): boolean {
  return Math.abs(a - b) <= tolerance;
}
