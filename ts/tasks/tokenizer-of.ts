import { GlmError } from '../errors.js';
import type { GLM } from '../glm.js';
import type { Tokenizer } from '../text/tokenizer.js';

/** Throws `GLM_TOKENIZER`. */
export function tokenizerOf(model: GLM): Tokenizer {
  if (model.tokenizer !== undefined) return model.tokenizer;
  throw new GlmError('GLM_TOKENIZER', 'expected a model with a tokenizer, found one without');
}
