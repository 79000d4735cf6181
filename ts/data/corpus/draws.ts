/**
 * Random draws for the order of the windows, the split and what a window holds: Philox4x32-10 (Salmon et al., "Parallel
 * Random Numbers: As Easy as 1, 2, 3", SC 2011), the same generator as cpp/base/philox.h. A draw is a function of
 * (seed, index, purpose, n), so any sample can be made alone.
 */

/** What is drawn. Another purpose never meets the same counter. */
export const purposes = { order: 0, phase: 1, window: 2, split: 3 } as const;

export type Purpose = (typeof purposes)[keyof typeof purposes];

/** "CORP" in the counter's upper half keeps these draws apart from all others under the same seed. */
const tag = 0x434f5250;
const two32 = 0x1_0000_0000;

/** Words, one after the other. */
export class Draws {
  readonly #words = new Uint32Array(4);
  readonly #key: readonly [low: number, high: number];
  readonly #index: number;
  readonly #purpose: Purpose;
  #block = 0;
  #used = 4;

  /** @param index the sample, epoch or document that is drawn for, below 2^53 */
  constructor(seed: number, index: number, purpose: Purpose) {
    this.#key = [seed >>> 0, Math.floor(seed / two32) >>> 0];
    this.#index = index;
    this.#purpose = purpose;
  }

  /** A whole number below 2^32. */
  word(): number {
    if (this.#used === 4) {
      this.#used = 0;
      const words = this.#words;
      words[0] = this.#index >>> 0;
      words[1] = Math.floor(this.#index / two32);
      words[2] = this.#purpose + 4 * this.#block++;
      words[3] = tag;
      philox(words, this.#key[0], this.#key[1]);
    }
    return this.#words[this.#used++]!;
  }

  /** In [0, 1), with 53 bits. */
  fraction(): number {
    return ((this.word() >>> 5) * 0x400_0000 + (this.word() >>> 6)) / 2 ** 53;
  }

  /** A whole number in [0, bound). The bias is below bound / 2^53. */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }
}

/** Ten rounds on a counter of four words, in place. */
export function philox(words: Uint32Array, keyLow: number, keyHigh: number): void {
  let [c0, c1, c2, c3] = words as unknown as [number, number, number, number];
  for (let round = 0; round < 10; round++) {
    const next0 = (multiplyHigh(0xcd9e8d57, c2) ^ c1 ^ keyLow) >>> 0;
    const next2 = (multiplyHigh(0xd2511f53, c0) ^ c3 ^ keyHigh) >>> 0;
    c1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c3 = Math.imul(0xd2511f53, c0) >>> 0;
    c0 = next0;
    c2 = next2;
    keyLow = (keyLow + 0x9e3779b9) >>> 0;
    keyHigh = (keyHigh + 0xbb67ae85) >>> 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/** The upper 32 bits of a product of two 32-bit words. */
function multiplyHigh(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const low = aLow * bLow;
  const middle = aHigh * bLow + Math.floor(low / 0x10000);
  const carry = aLow * bHigh + (middle % 0x10000);
  return aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000);
}
