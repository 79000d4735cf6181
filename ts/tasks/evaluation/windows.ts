import type { Batch } from '../../data/batch.js';
import type { SpecialTokens } from '../../text/special-tokens.js';
import { continuation, type Direction } from './continuation.js';

export interface WindowOptions {
  special: SpecialTokens;
  direction: Direction;
  /** A window has `sequenceLength` - 1 tokens of the document. */
  sequenceLength: number;
  /** Tokens that a window has beyond the one before it; left out, windows have nothing in common. */
  overlap?: number | undefined;
}

/**
 * A long document cut into windows, each an example; every token but the first is scored once, with as much of the text before it
 * as its window has (`LMDataset` of the original's `tasks/language_model/dataset.py`). From left to right, the first token of a
 * window is not scored.
 */
export function* windows(
  document: Int32Array,
  { special, direction, sequenceLength, overlap }: WindowOptions,
): Generator<Batch, void, void> {
  const length = sequenceLength - 1;
  const fresh = overlap ?? length;
  const options = { special, direction, eos: false };
  for (let begin = 0; begin === 0 || begin - fresh + length < document.length; begin += fresh) {
    const tokens = document.subarray(begin, begin + length);
    const least = direction === 'bidirectional' && begin > 0 ? 0 : 1;
    const seen = begin === 0 ? 1 : Math.max(least, length - fresh);
    if (tokens.length > seen) yield continuation(tokens.subarray(0, seen), tokens.subarray(seen), options);
  }
}

/** How many windows {@link windows} gives at most. */
export function windowCount(
  documentLength: number,
  { sequenceLength, overlap }: Pick<WindowOptions, 'sequenceLength' | 'overlap'>,
): number {
  const length = sequenceLength - 1;
  return 1 + Math.ceil(Math.max(0, documentLength - length) / (overlap ?? length));
}
