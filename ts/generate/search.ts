import type { CacheRows } from './cache-rows.js';
import { endTokens, forbiddenTokens } from './forbidden.js';
import type { Hypothesis } from './hypothesis.js';
import type { Decoding } from './options.js';
import type { Choice, Chosen, Row } from './step.js';
import type { StopTexts } from './stop-texts.js';

/** What a search knows of the blank it fills. */
export interface BlankPlace {
  /** The position of the mask. */
  position: number;
  /** The number of the blank. */
  number: number;
  maxTokens: number;
  decoding: Decoding;
  seed: number;
  stop: StopTexts | undefined;
  /** Told of every token that is settled. */
  onToken: ((id: number, logprob: number) => void) | undefined;
}

/** Finds the tokens of one blank. After each step it is told what was chosen, and names the rows to feed next. */
export interface Search {
  /** What to choose after start-of-piece. */
  readonly first: Choice;
  /** Takes what was chosen from the rows of the step before; returns the next rows, none when the blank is done. */
  advance(chosen: readonly Chosen[]): Promise<Row[]>;
  /** What there is so far, the best first. */
  readonly hypotheses: Hypothesis[];
  /** The last token of the best, when it has not been fed: what follows has to see it. */
  readonly unfed: number | undefined;
}

/** Greedy search and sampling: one token after the other. */
export class SingleSearch implements Search {
  readonly #place: BlankPlace;
  readonly #rows: CacheRows;
  readonly #best: Hypothesis = { ids: [], logprob: 0, finished: false };
  #unfed: number | undefined;

  constructor(place: BlankPlace, rows: CacheRows) {
    this.#place = place;
    this.#rows = rows;
  }

  get first(): Choice {
    return this.#choice();
  }

  get hypotheses(): Hypothesis[] {
    return [this.#best];
  }

  get unfed(): number | undefined {
    return this.#unfed;
  }

  async advance([chosen]: readonly Chosen[]): Promise<Row[]> {
    const { position, maxTokens, decoding, stop, onToken } = this.#place;
    const best = this.#best;
    const id = chosen!.ids[0]!;
    const logprob = chosen!.logprobs[0]!;
    best.logprob += logprob;
    if (endTokens(decoding).includes(id)) {
      best.finished = true;
      return [];
    }
    best.ids.push(id);
    onToken?.(id, logprob);
    best.finished = best.ids.length >= decoding.minTokens && ((await stop?.isIn(best.ids)) ?? false);
    if (best.finished || best.ids.length === maxTokens) {
      this.#unfed = id;
      return [];
    }
    const trunk = [...this.#rows.trunk];
    const slot = this.#rows.append();
    const blockPosition = best.ids.length + 1;
    return [{ id, position, blockPosition, slot, sees: [...trunk, slot], choice: this.#choice() }];
  }

  #choice(): Choice {
    const { number, decoding, seed } = this.#place;
    const { temperature, topK, topP } = decoding;
    const { ids } = this.#best;
    const forbidden = forbiddenTokens(decoding, ids);
    return { count: 1, temperature, topK, topP, seed, draw: [number, ids.length], forbidden };
  }
}
