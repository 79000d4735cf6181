import { Heap } from './heap.js';

/** Marks "this pair is not joined": larger than any rank. */
const noRank = 0x7fffffff;
/**
 * Up to here a word is merged by looking at all its pairs again and again, which is faster than a heap;
 * beyond it would be quadratic.
 */
const shortWord = 64;
const slotFields = 4;

/**
 * Which pairs of symbols byte pair encoding joins, in which order, to which symbol. An open-addressing hash
 * table in one typed array: a slot is left, right, rank, merged; rank -1 marks an empty slot.
 */
export class MergeTable {
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #ranks = new Int32Array(shortWord);

  constructor(maxMerges: number) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(2, maxMerges * 2)));
    this.#slots = new Int32Array(capacity * slotFields);
    for (let slot = 2; slot < this.#slots.length; slot += slotFields) this.#slots[slot] = -1;
    this.#mask = capacity - 1;
  }

  /** The lower of two ranks stays when a pair is given twice. */
  add(left: number, right: number, rank: number, merged: number): void {
    const slots = this.#slots;
    const slot = this.#find(left, right);
    if (slots[slot + 2] !== -1 && slots[slot + 2]! <= rank) return;
    slots[slot] = left;
    slots[slot + 1] = right;
    slots[slot + 2] = rank;
    slots[slot + 3] = merged;
  }

  /**
   * Joins pairs of the first `length` symbols until none is left to join: each time the pair of the lowest
   * rank, the leftmost of equals. Works in place and returns the new length.
   */
  apply(symbols: Int32Array, length: number): number {
    return length <= shortWord ? this.#applyByScan(symbols, length) : this.#applyByHeap(symbols, length);
  }

  #find(left: number, right: number): number {
    const slots = this.#slots;
    let at = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> 0;
    at = (at ^ (at >>> 15)) & this.#mask;
    for (;;) {
      const slot = at * slotFields;
      if (slots[slot + 2] === -1 || (slots[slot] === left && slots[slot + 1] === right)) return slot;
      at = (at + 1) & this.#mask;
    }
  }

  #rank(left: number, right: number): number {
    const rank = this.#slots[this.#find(left, right) + 2]!;
    return rank === -1 ? noRank : rank;
  }

  #merged(left: number, right: number): number {
    return this.#slots[this.#find(left, right) + 3]!;
  }

  #applyByScan(symbols: Int32Array, length: number): number {
    const ranks = this.#ranks;
    for (let i = 0; i + 1 < length; i++) ranks[i] = this.#rank(symbols[i]!, symbols[i + 1]!);
    while (length > 1) {
      let best = 0;
      for (let i = 1; i + 1 < length; i++) if (ranks[i]! < ranks[best]!) best = i;
      if (ranks[best] === noRank) break;
      symbols[best] = this.#merged(symbols[best]!, symbols[best + 1]!);
      symbols.copyWithin(best + 1, best + 2, length);
      ranks.copyWithin(best, best + 1, length - 1);
      length--;
      if (best > 0) ranks[best - 1] = this.#rank(symbols[best - 1]!, symbols[best]!);
      if (best + 1 < length) ranks[best] = this.#rank(symbols[best]!, symbols[best + 1]!);
    }
    return length;
  }

  /**
   * O(n log n): a linked list of symbols and a heap of the pairs worth joining. An entry whose pair has
   * changed since is stale and skipped.
   */
  #applyByHeap(symbols: Int32Array, length: number): number {
    const next = new Int32Array(length);
    const previous = new Int32Array(length);
    for (let i = 0; i < length; i++) {
      next[i] = i + 1 < length ? i + 1 : -1;
      previous[i] = i - 1;
    }
    // rank * 2^31 + position: exact in a double, and ordered by rank, then from left to right.
    const positions = 2 ** 31;
    const heap = new Heap<number>((a, b) => a < b);
    const offer = (at: number): void => {
      if (at < 0 || next[at] === -1) return;
      const rank = this.#rank(symbols[at]!, symbols[next[at]!]!);
      if (rank !== noRank) heap.push(rank * positions + at);
    };
    for (let i = 0; i < length; i++) offer(i);

    const gone = -1;
    for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
      const at = entry % positions;
      const right = next[at]!;
      const symbol = symbols[at]!;
      if (symbol === gone || right === -1) continue;
      if (this.#rank(symbol, symbols[right]!) !== Math.floor(entry / positions)) continue;
      symbols[at] = this.#merged(symbol, symbols[right]!);
      symbols[right] = gone;
      next[at] = next[right]!;
      if (next[at] !== -1) previous[next[at]] = at;
      offer(previous[at]!);
      offer(at);
    }

    let kept = 0;
    for (let at = 0; at !== -1; at = next[at]!) symbols[kept++] = symbols[at]!;
    return kept;
  }
}
