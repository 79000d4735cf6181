/** How often each n-gram of a text occurs. */
export class NgramCounts {
  readonly total: number;
  readonly #counts = new Map<string, number>();

  constructor(tokens: readonly string[], n: number) {
    this.total = Math.max(0, tokens.length - n + 1);
    for (let i = 0; i < this.total; i++) this.#raise(tokens.slice(i, i + n).join(' '), 1);
  }

  /** N-grams that both have, each as often as both have it. */
  common(other: NgramCounts): number {
    let common = 0;
    for (const [ngram, count] of this.#counts) common += Math.min(count, other.#counts.get(ngram) ?? 0);
    return common;
  }

  /** Keeps the larger count of each n-gram. */
  widen(other: NgramCounts): void {
    for (const [ngram, count] of other.#counts)
      this.#counts.set(ngram, Math.max(count, this.#counts.get(ngram) ?? 0));
  }

  /** Uses up one occurrence; false where none is left. */
  take(ngram: string): boolean {
    if (!((this.#counts.get(ngram) ?? 0) > 0)) return false;
    this.#raise(ngram, -1);
    return true;
  }

  #raise(ngram: string, by: number): void {
    this.#counts.set(ngram, (this.#counts.get(ngram) ?? 0) + by);
  }
}
