import { Draws, type Purpose } from './draws.js';

const rounds = 8;

/**
 * A random order of 0 … size - 1 that takes no memory: a Feistel network over the smallest number of bits that holds
 * `size`, applied again as long as the result is too large (cycle walking; Black and Rogaway, "Ciphers with Arbitrary
 * Finite Domains", CT-RSA 2002). A Feistel network is a bijection whatever its round function is.
 */
export class Permutation {
  readonly size: number;
  /** Two halves, the first may have a bit more. 2^27 at most each: sizes up to 2^53. */
  readonly #first: number;
  readonly #second: number;
  readonly #keys: Uint32Array;

  constructor(size: number, seed: number, index: number, purpose: Purpose) {
    this.size = size;
    let bits = 2;
    while (2 ** bits < size) bits++;
    this.#first = 2 ** Math.ceil(bits / 2);
    this.#second = 2 ** Math.floor(bits / 2);
    const draws = new Draws(seed, index, purpose);
    this.#keys = Uint32Array.from({ length: 2 * rounds }, () => draws.word());
  }

  /** What comes at `position`. */
  at(position: number): number {
    let value = position;
    do value = this.#scramble(value);
    while (value >= this.size);
    return value;
  }

  #scramble(value: number): number {
    // The halves take turns: each round adds a function of one to the other, modulo that one's size.
    let first = Math.floor(value / this.#second);
    let second = value % this.#second;
    for (let round = 0; round < rounds; round += 2) {
      first = (first + mix(second, this.#keys, round)) & (this.#first - 1);
      second = (second + mix(first, this.#keys, round + 1)) & (this.#second - 1);
    }
    return first * this.#second + second;
  }
}

/** A hash of a word under the keys of a round: multiply and shift, as in the finalizer of MurmurHash3. */
function mix(word: number, keys: Uint32Array, round: number): number {
  let hash = word ^ keys[2 * round]!;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash ^= keys[2 * round + 1]!;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
