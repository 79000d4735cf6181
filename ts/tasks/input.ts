/**
 * What a model is fed in a task: a text with a blank, and what shall be written there (`build_input_from_ids` of the
 * original's `tasks/data_utils.py`).
 */

import type { Batch } from '../data/batch.js';
import { GlmError } from '../errors.js';
import type { SpecialTokens } from '../text/special-tokens.js';

export interface ContextOptions {
  special: Pick<SpecialTokens, 'cls' | 'sep' | 'eos'>;
  /** What is longer is cut at its end; the end-of-text counts. */
  maxLength?: number;
  /** [CLS] in front. Default true. */
  cls?: boolean;
  /** [SEP] between two texts. Default false. */
  sep?: boolean;
  /** End-of-text behind. Default true. */
  eos?: boolean;
}

/** [CLS] a ([SEP]) b end-of-text: Part A of an example. */
export function context(
  a: ArrayLike<number>,
  b: ArrayLike<number> | undefined,
  { special, maxLength = Infinity, cls = true, sep = false, eos = true }: ContextOptions,
): Int32Array {
  const ids = [...(cls ? [special.cls] : []), ...Array.from(a)];
  if (b !== undefined) ids.push(...(sep ? [special.sep] : []), ...Array.from(b));
  const kept = ids.slice(0, eos ? maxLength - 1 : maxLength);
  return Int32Array.from(eos ? [...kept, special.eos] : kept);
}

/** Trained prompts stand in front of the text, behind [CLS]. */
export function withPrompts(
  ids: Int32Array,
  prompts: readonly number[],
  { cls }: Pick<SpecialTokens, 'cls'>,
): Int32Array {
  const begin = ids[0] === cls ? 1 : 0;
  return Int32Array.of(...ids.subarray(0, begin), ...prompts, ...ids.subarray(begin));
}

/** Tokens that prompts leave to a text of so many. Throws `GLM_INVALID_ARGUMENT` where it is too few for [CLS], a word, a blank and an end. */
export function roomBeside(prompts: readonly number[], maxLength: number): number {
  const room = maxLength - prompts.length;
  if (prompts.length === 0 || room >= 4) return room;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected prompts that leave room for a text in ${maxLength} tokens, found ${prompts.length}; take fewer, or give a larger ` +
      'maxLength',
  );
}

/**
 * An example whose Part B is to become `target` at the first blank of the context. Without a target it is start-of-piece
 * alone, and the loss mask says where the answer is read.
 * @throws GlmError GLM_NO_MASK
 */
export function example(
  contextIds: Int32Array,
  target: Int32Array | undefined,
  special: Pick<SpecialTokens, 'sop'>,
  masks: readonly (number | undefined)[],
): Batch {
  const place = contextIds.findIndex((id) => masks.includes(id));
  if (place < 0) {
    throw new GlmError(
      'GLM_NO_MASK',
      'expected a context with a blank, found none; it may have been cut off: give the task a larger maxLength',
    );
  }
  const written = target !== undefined && target.length > 0 ? target : new Int32Array(1);
  return exampleOfBlanks(contextIds, [{ place, target: written }], special);
}

/** What is to be written into a blank. */
export interface BlankTarget {
  /** Of the blank in the context. */
  place: number;
  target: Int32Array;
}

/** An example with several blanks: Part B writes one after the other. */
export function exampleOfBlanks(
  contextIds: Int32Array,
  blanks: readonly BlankTarget[],
  special: Pick<SpecialTokens, 'sop'>,
): Batch {
  const length = blanks.reduce((sum, { target }) => sum + target.length, contextIds.length);
  const batch = {
    ids: new Int32Array(length),
    positions: Int32Array.from({ length }, (_, i) => i),
    blockPositions: new Int32Array(length),
    offsets: Int32Array.of(0, length),
    contextLengths: Int32Array.of(contextIds.length),
    targets: new Int32Array(length),
    lossMask: new Uint8Array(length).fill(1, contextIds.length),
  };
  batch.ids.set(contextIds);
  let begin = contextIds.length;
  for (const { place, target } of blanks) {
    const end = begin + target.length;
    batch.ids[begin] = special.sop;
    batch.ids.set(target.subarray(0, -1), begin + 1);
    batch.targets.set(target, begin);
    batch.positions.fill(place, begin, end);
    for (let i = begin; i < end; i++) batch.blockPositions[i] = i - begin + 1;
    begin = end;
  }
  return batch;
}
