import { GlmError } from '../errors.js';
/** What goes into one step of decoding, and what comes out. */

/** A token to feed. Its keys and values go to `slot`, a row of its sequence's cache. */
export interface Row {
  id: number;
  position: number;
  blockPosition: number;
  slot: number;
  /** Cache rows it sees beside the sequence's shared ones, its own among them. */
  sees: readonly number[];
  /** What to choose from its logits; left out when they are not wanted. */
  choice?: Choice | undefined;
}

/** Which next tokens are wanted. */
export interface Choice {
  /** How many of the likeliest; 1 when sampling. */
  count: number;
  /** 0: the likeliest. */
  temperature: number;
  /** 0: all. */
  topK: number;
  topP: number;
  seed: number;
  /** The place of this draw in the sequence: (blank, token). */
  draw: readonly [number, number];
  /** Tokens that may not be chosen. */
  forbidden: readonly number[];
}

/** Next tokens, the likeliest first, with their natural log-probabilities under the raw distribution. */
export interface Chosen {
  ids: ArrayLike<number>;
  logprobs: ArrayLike<number>;
}

/** The part of a sequence in a step. */
export interface SequenceStep {
  /** Cache rows from the first on that all of `rows` see. */
  shared: number;
  rows: readonly Row[];
}

/** What stands for an id in {@link Chosen} when the logits are not finite. */
export const notFinite = -1;
/** What stands for an id in {@link Chosen} when every token is forbidden. */
export const nothingLeft = -2;

export function numericError(): GlmError {
  return new GlmError(
    'GLM_NUMERIC',
    'expected finite logits, found NaN or infinity; the weights are damaged, or too large for the type that is computed with',
  );
}
