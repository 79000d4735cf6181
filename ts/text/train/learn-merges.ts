import { Heap } from '../heap.js';

/** Symbols are below this, so that a pair of them makes one exact number. */
const maxSymbols = 2 ** 21;

/**
 * Two neighbouring symbols, how often they occur in the text, and the words where they do (some of them
 * perhaps no longer, or twice).
 */
interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: number[];
}

/**
 * The words of a text, each once, as symbols: word w is `symbols[starts[w] … starts[w + 1])` and occurs
 * `counts[w]` times.
 */
export interface WordTable {
  readonly symbols: Int32Array;
  readonly starts: Int32Array;
  readonly counts: Float64Array;
}

/**
 * Learns byte pair encoding (Sennrich et al. 2016): again and again the most frequent pair of neighbours
 * becomes one symbol. Counts are kept up to date in the words that a merge touches, so that the work is about
 * the number of symbols that disappear, times the logarithm of the heap. Of pairs with equal counts the one
 * of the older symbols is first: the same words give the same merges, in whatever order they come.
 *
 * @param words changed in place
 * @param join gives the symbol of two joined symbols, an existing one if the piece is known already;
 * undefined ends the training
 * @returns the pairs in the order in which they were joined
 */
export function learnMerges(
  words: WordTable,
  join: (left: number, right: number) => number | undefined,
): [left: number, right: number][] {
  return new MergeLearner(words).run(join);
}

class MergeLearner {
  readonly #symbols: Int32Array;
  readonly #starts: Int32Array;
  readonly #counts: Float64Array;
  /** Words shrink: their present lengths. */
  readonly #lengths: Int32Array;
  readonly #pairs = new Map<number, Pair>();
  /**
   * Pairs by count. The count of an entry is the one when it was put in; the pair's own may be smaller by
   * now.
   */
  readonly #queue = new Heap<{ pair: Pair; count: number }>(
    (a, b) =>
      a.count > b.count ||
      (a.count === b.count &&
        (a.pair.left < b.pair.left || (a.pair.left === b.pair.left && a.pair.right < b.pair.right))),
  );

  constructor({ symbols, starts, counts }: WordTable) {
    this.#symbols = symbols;
    this.#starts = starts;
    this.#counts = counts;
    this.#lengths = Int32Array.from(counts, (_, word) => starts[word + 1]! - starts[word]!);
    for (let word = 0; word < counts.length; word++) {
      for (let i = starts[word]!; i + 1 < starts[word + 1]!; i++) {
        this.#count(symbols[i]!, symbols[i + 1]!, counts[word]!, word);
      }
    }
    for (const pair of this.#pairs.values()) this.#queue.push({ pair, count: pair.count });
  }

  run(join: (left: number, right: number) => number | undefined): [number, number][] {
    const merges = new Map<number, [number, number]>();
    for (let best = this.#queue.pop(); best !== undefined; best = this.#queue.pop()) {
      const { pair } = best;
      if (pair.count <= 0) continue;
      if (pair.count < best.count) {
        this.#queue.push({ pair, count: pair.count });
        continue;
      }
      const joined = join(pair.left, pair.right);
      if (joined === undefined) break;
      const key = pairKey(pair.left, pair.right);
      if (!merges.has(key)) merges.set(key, [pair.left, pair.right]);
      this.#apply(pair, joined);
    }
    return [...merges.values()];
  }

  /** Replaces the pair by `joined` in every word that has it. */
  #apply(pair: Pair, joined: number): void {
    const more = new Set<Pair>();
    for (const word of pair.words) this.#applyToWord(word, pair, joined, more);
    pair.count = 0;
    pair.words.length = 0;
    for (const changed of more)
      if (changed.count > 0) this.#queue.push({ pair: changed, count: changed.count });
  }

  #applyToWord(word: number, { left, right }: Pair, joined: number, more: Set<Pair>): void {
    const symbols = this.#symbols;
    const start = this.#starts[word]!;
    const end = start + this.#lengths[word]!;
    const count = this.#counts[word]!;
    let to = start;
    for (let from = start; from < end; from++, to++) {
      if (symbols[from] !== left || from + 1 >= end || symbols[from + 1] !== right) {
        symbols[to] = symbols[from]!;
        continue;
      }
      if (to > start) {
        const before = symbols[to - 1]!;
        this.#count(before, left, -count, word);
        more.add(this.#count(before, joined, count, word));
      }
      if (from + 2 < end) {
        const after = symbols[from + 2]!;
        this.#count(right, after, -count, word);
        more.add(this.#count(joined, after, count, word));
      }
      symbols[to] = joined;
      from++;
    }
    this.#lengths[word] = to - start;
  }

  #count(left: number, right: number, change: number, word: number): Pair {
    const key = pairKey(left, right);
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, words: [] };
      this.#pairs.set(key, pair);
    }
    pair.count += change;
    if (change > 0 && pair.words.at(-1) !== word) pair.words.push(word);
    return pair;
  }
}

function pairKey(left: number, right: number): number {
  return left * maxSymbols + right;
}
