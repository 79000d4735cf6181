/**
 * Examples packed one behind the other, N tokens of B examples in all; there is no padding.
 * An example is its context (Part A) followed by its spans (Part B).
 */
export interface Batch {
  /** [N] */
  ids: Int32Array;
  /** [N] where the token is in the corrupted text; a token of a span has the place of its blank */
  positions: Int32Array;
  /** [N] 0 in the context, 1, 2, … inside a span */
  blockPositions: Int32Array;
  /** [B + 1] where each example begins; the last is N */
  offsets: Int32Array;
  /** [B] length of Part A: the tokens that every token of the example sees */
  contextLengths: Int32Array;
  /** [N] what each token should predict; means something only where `lossMask` is 1 */
  targets?: Int32Array | undefined;
  /** [N] 1 where there is a loss */
  lossMask?: Uint8Array | undefined;
  /** [B] the objective that made the example */
  objectives?: Uint8Array | undefined;
  /** [B] the sample that the example comes from */
  samples?: Int32Array | undefined;
}
