/** Philox4x32-10 (Salmon et al. 2011) and what is drawn with it, from the definitions in cpp/base. */

import type { NativeDropout } from '../../../ts/native.js';
import { at } from './matrix.js';

const low = (x: bigint): bigint => x & 0xffffffffn;
const high = (x: bigint): bigint => x >> 32n;

/** The four words of a counter of two 64-bit halves. */
export function philox(key: number, counter: number, site: number): number[] {
  let [c0, c1, c2, c3] = [low(BigInt(counter)), high(BigInt(counter)), low(BigInt(site)), high(BigInt(site))];
  let [k0, k1] = [low(BigInt(key)), high(BigInt(key))];
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [high(p1) ^ c1 ^ k0, low(p1), high(p0) ^ c3 ^ k1, low(p0)];
    k0 = low(k0 + 0x9e3779b9n);
    k1 = low(k1 + 0xbb67ae85n);
  }
  return [c0, c1, c2, c3].map(Number);
}

/** The counter and the word that belong to element `index` of a tensor: blocks of 64 take the words of 16 counters. */
export function elementDraw(index: number): { counter: number; word: number } {
  return { counter: Math.floor(index / 64) * 16 + (index % 16), word: Math.floor(index / 16) % 4 };
}

/** 0 or 1 / (1 - p) for each element of a tensor. */
export function dropoutFactor(dropout: NativeDropout | undefined, index: number): number {
  const { counter, word } = elementDraw(index);
  return factor(dropout, counter, word);
}

/** The same for attention's probability at (row, column) of an example that starts at token `offset` of `tokens`. */
export function attentionDropoutFactor(
  dropout: NativeDropout | undefined,
  head: number,
  tokens: number,
  offset: number,
  row: number,
  column: number,
): number {
  const group = head * tokens + offset + Math.floor(row / 32) * 8 + (row % 8);
  return factor(dropout, group * 2 ** 20 + column, Math.floor(row / 8) % 4);
}

function factor(dropout: NativeDropout | undefined, counter: number, word: number): number {
  if (dropout === undefined) return 1;
  const threshold = Math.floor(dropout.probability * 2 ** 32);
  const drawn = at(philox(dropout.seed, counter, dropout.site), word);
  return drawn < threshold ? 0 : Math.fround(1 / (1 - dropout.probability));
}
