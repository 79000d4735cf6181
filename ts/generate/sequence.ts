import { CacheRows } from './cache-rows.js';
import type { Decoding } from './options.js';
import type { Blank, Prompt } from './prompt.js';
import { type Hypothesis, type Search, SingleSearch } from './search.js';
import type { Chosen, Row, SequenceStep } from './step.js';
import { StopTexts } from './stop-texts.js';
import type { Tokenizer } from '../text/tokenizer.js';

/** A text whose blanks are being filled, in order of position. */
export class Sequence {
  readonly prompt: Prompt;
  readonly decoding: Decoding;
  readonly rows: CacheRows;
  /** What each blank got, the best first; the last is under way. */
  readonly filled: Hypothesis[][] = [];
  /** The rows to feed next. */
  step: SequenceStep;
  /** Whether the context has been encoded. */
  encoded = false;
  done = false;
  readonly #maxTokens: number;
  readonly #seed: number;
  readonly #stop: StopTexts | undefined;
  #search: Search;

  constructor(
    prompt: Prompt,
    decoding: Decoding,
    maxTokens: number,
    seed: number,
    tokenizer: Tokenizer | undefined,
  ) {
    this.prompt = prompt;
    this.decoding = decoding;
    this.rows = new CacheRows(prompt.ids.length);
    this.#maxTokens = maxTokens;
    this.#seed = seed;
    this.#stop = decoding.stop.length > 0 ? new StopTexts(tokenizer!, decoding.stop) : undefined;
    this.#search = this.#newSearch();
    this.step = this.#begin(undefined);
  }

  /** The blank that is being filled. */
  get blank(): Blank {
    return this.prompt.blanks[this.filled.length - 1]!;
  }

  /** Takes what was chosen in the step. */
  async accept(chosen: readonly Chosen[]): Promise<void> {
    const rows = await this.#advance(chosen);
    if (rows !== undefined) this.step = rows;
    else this.done = true;
  }

  async #advance(chosen: readonly Chosen[]): Promise<SequenceStep | undefined> {
    const shared = this.rows.shared;
    const rows = await this.#search.advance(chosen);
    this.filled[this.filled.length - 1] = this.#search.hypotheses;
    if (rows.length > 0) return { shared, rows };
    if (this.filled.length === this.prompt.blanks.length) return undefined;
    const { unfed } = this.#search;
    const carried =
      unfed === undefined
        ? undefined
        : { id: unfed, position: this.blank.index, blockPosition: this.filled.at(-1)![0]!.ids.length + 1 };
    this.#search = this.#newSearch();
    return this.#begin(carried);
  }

  #newSearch(): Search {
    const number = this.filled.length;
    const blank = this.prompt.blanks[number]!;
    const place = {
      position: blank.index,
      number,
      maxTokens: this.#maxTokens,
      decoding: this.decoding,
      seed: this.#seed,
      stop: this.#stop,
    };
    return new SingleSearch(place, this.rows);
  }

  /** Start-of-piece of the next blank, behind the last token of the one before if that was not fed yet. */
  #begin(carried: Pick<Row, 'id' | 'position' | 'blockPosition'> | undefined): SequenceStep {
    const { shared } = this.rows;
    const sees = [...this.rows.trunk];
    const fed: Row[] = [];
    if (carried !== undefined) {
      const slot = this.rows.append();
      sees.push(slot);
      fed.push({ ...carried, slot, sees: [...sees] });
    }
    const slot = this.rows.append();
    sees.push(slot);
    this.filled.push(this.#search.hypotheses);
    fed.push({
      id: this.decoding.special.sop,
      position: this.blank.index,
      blockPosition: 1,
      slot,
      sees,
      ...this.#search.first,
    });
    return { shared, rows: fed };
  }
}
