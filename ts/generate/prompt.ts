import { GlmError } from '../errors.js';
import { type GlmConfig, positionRows, promptIds } from '../model/config.js';
import { blankRoles } from '../text/special-tokens.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { type BlankTokens, invalid } from './options.js';

/** What fill, stream and score take: a text with blanks, or token ids with masks. */
export type PromptInput = string | Int32Array;

/** A blank of a prompt: where its mask is, and which. */
export interface Blank {
  index: number;
  mask: 'mask' | 'smask' | 'gmask';
}

/** The context as the model sees it. */
export interface Prompt {
  ids: Int32Array;
  blanks: Blank[];
}

/**
 * Token ids and blanks of an input. A text becomes what {@link Tokenizer.encodePrompt} makes of it; ids are taken as they
 * are. Throws `GLM_NO_MASK`, `GLM_INVALID_ARGUMENT`, `GLM_CONTEXT_LENGTH`.
 */
export async function readPrompt(
  input: PromptInput,
  config: GlmConfig,
  special: BlankTokens,
  tokenizer: Tokenizer | undefined,
): Promise<Prompt> {
  const ids = await readIds(input, tokenizer);
  const blanks = findBlanks(ids, special);
  if (blanks.length === 0) {
    throw new GlmError(
      'GLM_NO_MASK',
      'expected a blank ([MASK], [sMASK] or [gMASK], as far as the tokenizer has them), found none; put one where text is wanted',
    );
  }
  checkIds(ids, config);
  return { ids, blanks };
}

async function readIds(input: unknown, tokenizer: Tokenizer | undefined): Promise<Int32Array> {
  if (input instanceof Int32Array) return Int32Array.from(input);
  if (typeof input !== 'string') {
    throw invalid(
      `expected a text or an Int32Array of token ids, found ${input === null ? 'null' : typeof input}`,
    );
  }
  if (tokenizer !== undefined) return tokenizer.encodePrompt(input);
  throw invalid('expected token ids (Int32Array) for a model without a tokenizer, found a text');
}

function findBlanks(ids: Int32Array, special: BlankTokens): Blank[] {
  const blanks: Blank[] = [];
  ids.forEach((id, index) => {
    const mask = blankRoles.find((role) => special[role] === id);
    if (mask !== undefined) blanks.push({ index, mask });
  });
  return blanks;
}

/** Throws unless the model has a word or a prompt for every id, and a position for it. */
export function checkIds(ids: Int32Array, config: GlmConfig): void {
  const end = config.vocab_size + promptIds(config).length;
  const wrong = ids.findIndex((id) => id < 0 || id >= end);
  if (wrong >= 0) {
    throw invalid(
      `expected ids[${wrong}] to be in [0, ${end}), found ${ids[wrong]}; use the tokenizer that belongs to the model`,
    );
  }
  const positions = positionRows(config);
  if (ids.length > positions) {
    throw new GlmError(
      'GLM_CONTEXT_LENGTH',
      `expected a text of at most ${positions} tokens, found ${ids.length}; shorten it, or use a model with a larger max_sequence_length`,
    );
  }
}
