import type { GLM } from '../glm.js';
import type { FilledSample } from './events.js';

/** Enough to see what a model has learnt; a longer text would cost as much as many steps. */
const mostTokens = 32;

/** The texts with their blanks filled. */
export async function fillSamples(
  model: GLM,
  prompts: readonly string[],
  signal: AbortSignal | undefined,
): Promise<FilledSample[]> {
  const results = await model.fill(prompts, {
    maxTokens: Math.min(mostTokens, model.config.max_sequence_length),
    batching: false,
    signal,
  });
  return results.map(({ text, blanks }, i) => ({
    prompt: prompts[i] as string,
    text,
    blanks: blanks.map((blank) => ({ text: blank.text, tokens: blank.ids.length, logprob: blank.logprob })),
  }));
}
