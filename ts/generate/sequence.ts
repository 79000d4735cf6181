import type { Tokenizer } from '../text/tokenizer.js';
import { BeamSearch } from './beam-search.js';
import { CacheRows } from './cache-rows.js';
import type { Hypothesis } from './hypothesis.js';
import type { Decoding } from './options.js';
import type { Blank, Prompt } from './prompt.js';
import { type Search, SingleSearch } from './search.js';
import type { Chosen, Row, SequenceStep } from './step.js';
import { StopTexts } from './stop-texts.js';

/** Who wants to know of tokens as they come. Not with beam search, which settles nothing before a blank's end. */
export interface SequenceListener {
  token(blank: number, id: number, logprob: number): void;
  /** No more tokens come for this blank. */
  ended(blank: number): void;
}

export interface SequenceOptions {
  prompt: Prompt;
  decoding: Decoding;
  maxTokens: number;
  seed: number;
  tokenizer: Tokenizer | undefined;
  listener?: SequenceListener | undefined;
}

/** A text whose blanks are being filled, in order of position. */
export class Sequence {
  readonly prompt: Prompt;
  readonly decoding: Decoding;
  /** What each blank got, the best first. The last one is under way until the sequence is done. */
  readonly filled: Hypothesis[][] = [];
  /** The rows to feed next. */
  step: SequenceStep;
  /** Whether the context has been encoded. */
  encoded = false;
  done = false;
  readonly #options: SequenceOptions;
  readonly #rows: CacheRows;
  readonly #stop: StopTexts | undefined;
  #search: Search;

  constructor(options: SequenceOptions) {
    const { prompt, decoding, tokenizer } = options;
    this.prompt = prompt;
    this.decoding = decoding;
    this.#options = options;
    this.#rows = new CacheRows(prompt.ids.length);
    this.#stop = decoding.stop.length > 0 ? new StopTexts(tokenizer!, decoding.stop) : undefined;
    this.#search = this.#newSearch(0);
    this.step = this.#begin(0, undefined);
  }

  /** Takes what was chosen in the step. */
  async accept(chosen: readonly Chosen[]): Promise<void> {
    const number = this.filled.length - 1;
    const { shared } = this.#rows;
    const rows = await this.#search.advance(chosen);
    this.filled[number] = this.#search.hypotheses;
    if (rows.length > 0) {
      this.step = { shared, rows };
      return;
    }
    this.#options.listener?.ended(number);
    if (number + 1 === this.prompt.blanks.length) this.done = true;
    else this.step = this.#next(number);
  }

  /** The first rows of the blank behind `number`. */
  #next(number: number): SequenceStep {
    const { unfed } = this.#search;
    const position = this.#blank(number).index;
    const blockPosition = this.filled[number]![0]!.ids.length + 1;
    this.#search = this.#newSearch(number + 1);
    return this.#begin(number + 1, unfed === undefined ? undefined : { id: unfed, position, blockPosition });
  }

  #newSearch(number: number): Search {
    const { decoding, maxTokens, seed, listener } = this.#options;
    const place = {
      position: this.#blank(number).index,
      number,
      maxTokens,
      decoding,
      seed,
      stop: this.#stop,
      onToken: listener && ((id: number, logprob: number) => listener.token(number, id, logprob)),
    };
    return decoding.beams > 1 ? new BeamSearch(place, this.#rows) : new SingleSearch(place, this.#rows);
  }

  /** Start-of-piece of a blank, behind the last token of the one before if that was not fed yet. */
  #begin(number: number, unfed: Pick<Row, 'id' | 'position' | 'blockPosition'> | undefined): SequenceStep {
    const { shared } = this.#rows;
    const sees = [...this.#rows.trunk];
    const append = () => {
      const slot = this.#rows.append();
      sees.push(slot);
      return { slot, sees: [...sees] };
    };
    const rows: Row[] = unfed === undefined ? [] : [{ ...unfed, ...append() }];
    const { sop } = this.decoding.special;
    const { index } = this.#blank(number);
    rows.push({ id: sop, position: index, blockPosition: 1, ...append(), choice: this.#search.first });
    this.filled.push(this.#search.hypotheses);
    return { shared, rows };
  }

  #blank(number: number): Blank {
    return this.prompt.blanks[number]!;
  }
}
