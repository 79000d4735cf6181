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
  const position = contextIds.findIndex((id) => masks.includes(id));
  if (position < 0) {
    throw new GlmError(
      'GLM_NO_MASK',
      'expected a context with a blank, found none; it may have been cut off: give the task a larger maxLength',
    );
  }
  const length = Math.max(1, target?.length ?? 1);
  const total = contextIds.length + length;
  const batch = {
    ids: new Int32Array(total),
    positions: Int32Array.from({ length: total }, (_, i) => (i < contextIds.length ? i : position)),
    blockPositions: Int32Array.from({ length: total }, (_, i) => Math.max(0, i - contextIds.length + 1)),
    offsets: Int32Array.of(0, total),
    contextLengths: Int32Array.of(contextIds.length),
    targets: new Int32Array(total),
    lossMask: new Uint8Array(total).fill(1, contextIds.length),
  };
  batch.ids.set(contextIds);
  batch.ids[contextIds.length] = special.sop;
  if (target !== undefined) {
    batch.ids.set(target.subarray(0, length - 1), contextIds.length + 1);
    batch.targets.set(target, contextIds.length);
  }
  return batch;
}
