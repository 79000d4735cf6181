import { GlmError } from '../errors.js';
import { type GlmConfig, positionRows } from '../model/config.js';
import { blankRoles, commandText } from '../text/special-tokens.js';
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

/** Token ids and blanks of an input. Throws `GLM_NO_MASK`, `GLM_INVALID_ARGUMENT`, `GLM_CONTEXT_LENGTH`. */
export async function readPrompt(
  input: PromptInput,
  config: GlmConfig,
  special: BlankTokens,
  tokenizer: Tokenizer | undefined,
): Promise<Prompt> {
  const ids =
    typeof input === 'string' ? await encodePrompt(input, special, tokenizer) : Int32Array.from(input);
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

/**
 * [CLS], the text, end-of-text unless it ends in [gMASK]; a text without a blank is continued: it gets [gMASK], or
 * [MASK] where the tokenizer has none (`generate_samples.py` of the original, which looks at the text, not the ids).
 */
export async function encodePrompt(
  text: string,
  special: BlankTokens,
  tokenizer: Tokenizer | undefined,
): Promise<Int32Array> {
  if (tokenizer === undefined) {
    throw invalid('expected token ids (Int32Array) for a model without a tokenizer, found a text');
  }
  let ids = await tokenizer.encode(text);
  if (findBlanks(ids, special).length === 0 && !text.includes('MASK]')) {
    text += ` ${special.gmask === undefined ? commandText.mask : commandText.gmask}`;
    ids = await tokenizer.encode(text);
  }
  const head = special.cls === undefined ? [] : [special.cls];
  const tail = special.eos === undefined || text.trimEnd().endsWith(commandText.gmask) ? [] : [special.eos];
  return Int32Array.from([...head, ...ids, ...tail]);
}

function findBlanks(ids: Int32Array, special: BlankTokens): Blank[] {
  const blanks: Blank[] = [];
  ids.forEach((id, index) => {
    const mask = blankRoles.find((role) => special[role] === id);
    if (mask !== undefined) blanks.push({ index, mask });
  });
  return blanks;
}

function checkIds(ids: Int32Array, config: GlmConfig): void {
  const wrong = ids.findIndex((id) => id < 0 || id >= config.vocab_size);
  if (wrong >= 0) {
    throw invalid(
      `expected ids[${wrong}] to be in [0, ${config.vocab_size}), found ${ids[wrong]}; use the tokenizer that belongs to the model`,
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
