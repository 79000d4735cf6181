import type { DocumentRules, Part } from './document.js';
import { countParts, partOf } from './reader.js';
import type { Source } from './sources.js';

/** A part of a source, by its index. */
export interface PlannedPart {
  readonly source: number;
  readonly part: Part;
}

/** The part of the sources that comes next. */
export interface PartPlace {
  readonly source: number;
  readonly part: number;
}

/** The parts of all sources in order. Of packed files only reading shows how many there are. */
export class Plan {
  readonly #sources: readonly Source[];
  readonly #rules: DocumentRules;
  readonly #partBytes: number;
  #source: number;
  #part: number;
  #count: number | undefined;

  constructor(
    sources: readonly Source[],
    rules: DocumentRules,
    partBytes: number,
    from: PartPlace = { source: 0, part: 0 },
  ) {
    this.#sources = sources;
    this.#rules = rules;
    this.#partBytes = partBytes;
    this.#source = from.source;
    this.#part = from.part;
    this.#countParts();
  }

  /** The next part; perhaps one behind a file's end, as long as that has not been seen. */
  next(): PlannedPart | undefined {
    while (this.#source < this.#sources.length) {
      if (this.#part < (this.#count ?? Infinity)) {
        const source = this.#sources[this.#source]!;
        const part = partOf(source, this.#part++, this.#count, this.#partBytes);
        return { source: this.#source, part };
      }
      this.#source++;
      this.#part = 0;
      this.#countParts();
    }
    return undefined;
  }

  /** A source ends with this part, or before it. */
  endsWith({ source, part }: PlannedPart): void {
    if (source === this.#source) this.#count = Math.min(this.#count ?? Infinity, part.index + 1);
  }

  #countParts(): void {
    const source = this.#sources[this.#source];
    this.#count = source === undefined ? undefined : countParts(source, this.#rules, this.#partBytes);
  }
}
