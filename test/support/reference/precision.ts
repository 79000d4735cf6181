/**
 * How a reference rounds. The references are written once: with `exact` they are the float64 truth, with `float32` and
 * `bfloat16` the plain loop of that precision, whose error is the measure for ours.
 */
export interface Precision {
  /** The result of every operation. */
  round: (x: number) => number;
  /** A number that is stored as an activation or enters a matrix product. */
  store: (x: number) => number;
}

export const exact: Precision = { round: (x) => x, store: (x) => x };
export const float32: Precision = { round: Math.fround, store: Math.fround };
export const bfloat16: Precision = { round: Math.fround, store: toBfloat16 };

/** The nearest bfloat16, ties to even. */
export function toBfloat16(x: number): number {
  return fromBfloat16Bits(bfloat16Bits(x));
}

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

export function bfloat16Bits(x: number): number {
  floats[0] = x;
  const word = bits[0] as number;
  if (Number.isNaN(x)) return (word >>> 16) | 0x40;
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBfloat16Bits(word: number): number {
  bits[0] = word << 16;
  return floats[0] as number;
}
