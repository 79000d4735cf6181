/**
 * Which rows of a sequence's cache hold what. Rows 0 … shared - 1 are seen by everything to come; so are those of the
 * trunk, which lie elsewhere because a beam search left gaps. Hypotheses see the trunk and their own paths.
 */
export class CacheRows {
  shared: number;
  readonly trunk: number[] = [];
  readonly #free: number[] = [];
  #end: number;

  constructor(context: number) {
    this.shared = context;
    this.#end = context;
  }

  /** Rows that the cache has to have. */
  get end(): number {
    return this.#end;
  }

  /** A row that everything after it sees. */
  append(): number {
    const row = this.take();
    if (this.trunk.length === 0 && row === this.shared) this.shared++;
    else this.trunk.push(row);
    return row;
  }

  /** A row for a hypothesis. */
  take(): number {
    return this.#free.pop() ?? this.#end++;
  }

  /** Gives rows of hypotheses back. */
  release(rows: Iterable<number>): void {
    this.#free.push(...rows);
  }

  /** What everything to come sees beside the shared rows. */
  keep(path: readonly number[]): void {
    this.trunk.push(...path);
  }
}
