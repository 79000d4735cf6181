/** A text that follows another, as a model is asked for it. */

import type { Batch } from '../../data/batch.js';
import { GlmError } from '../../errors.js';
import type { GLM } from '../../glm.js';
import type { SpecialTokens } from '../../text/special-tokens.js';
import { context, example } from '../input.js';
import { tokenizerOf } from '../tokenizer-of.js';

/**
 * What a token sees of the text before it. `bidirectional`: the context as a whole and every token behind it from left to right;
 * `unidirectional`: a context of one token, so that all is seen from left to right (paper, section 3.3); `leftToRight`:
 * no context and no blank, for models that were not made to fill blanks, such as GPT-2.
 */
export type Direction = 'bidirectional' | 'unidirectional' | 'leftToRight';

/**
 * How a model can be asked. A vocabulary that ends before start-of-piece has no way to write into a blank.
 * @throws GlmError GLM_TOKENIZER without a tokenizer, or when both directions are asked of a model that has one
 */
export function directionFor(model: GLM, unidirectional: boolean | undefined): Direction {
  const { special } = tokenizerOf(model);
  if (special.sop < model.config.vocab_size) return unidirectional ? 'unidirectional' : 'bidirectional';
  if (unidirectional !== false) return 'leftToRight';
  throw new GlmError(
    'GLM_TOKENIZER',
    `expected a model with a word for <|startofpiece|> (${special.sop}) to look in both directions, found a vocabulary of ` +
      `${model.config.vocab_size}; evaluate it from left to right`,
  );
}

export interface ContinuationOptions {
  special: SpecialTokens;
  direction: Direction;
  /** End-of-text behind the context. */
  eos: boolean;
}

/** A batch of one example whose loss is on `answer`, behind `text`; only a bidirectional one may have an empty text. */
export function continuation(
  text: Int32Array,
  answer: Int32Array,
  { special, direction, eos }: ContinuationOptions,
): Batch {
  if (direction === 'leftToRight') return leftToRight(text, answer);
  const seen = direction === 'bidirectional' ? text.length : 1;
  const mask = special.gmask ?? special.mask;
  const ids = context([...text.subarray(0, seen), mask], undefined, { special, eos });
  const written = joined(text.subarray(seen), answer);
  const batch = example(ids, written, special, [mask]);
  batch.lossMask!.fill(0, ids.length, ids.length + text.length - seen);
  return batch;
}

function leftToRight(text: Int32Array, answer: Int32Array): Batch {
  const all = joined(text, answer);
  const length = all.length - 1;
  return {
    ids: all.slice(0, length),
    positions: Int32Array.from({ length }, (_, i) => i),
    blockPositions: new Int32Array(length),
    offsets: Int32Array.of(0, length),
    contextLengths: Int32Array.of(0),
    targets: all.slice(1),
    lossMask: new Uint8Array(length).fill(1, text.length - 1),
  };
}

function joined(a: Int32Array, b: Int32Array): Int32Array {
  const all = new Int32Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
