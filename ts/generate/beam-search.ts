import type { CacheRows } from './cache-rows.js';
import { endTokens, forbiddenTokens } from './forbidden.js';
import { type Hypothesis, score } from './hypothesis.js';
import type { BlankPlace, Search } from './search.js';
import type { Choice, Chosen, Row } from './step.js';

/** A hypothesis and the cache rows of its tokens, as far as they have been fed. */
interface Beam extends Hypothesis {
  path: readonly number[];
}

/** One more token on a beam. */
interface Continuation {
  beam: Beam;
  id: number;
  logprob: number;
}

/**
 * Beam search. Of all continuations of the K beams, an end-of-piece among the best K ends a hypothesis, and the best K
 * others go on, until maxTokens. The K best hypotheses are kept, by logprob / tokens ** lengthPenalty. Beams share the
 * cache rows of what they have in common.
 */
export class BeamSearch implements Search {
  readonly #place: BlankPlace;
  readonly #rows: CacheRows;
  readonly #own = new Set<number>(); // cache rows of beams
  #live: Beam[] = [{ ids: [], logprob: 0, finished: false, path: [] }];
  #ended: Beam[] = [];
  #unfed: number | undefined;

  constructor(place: BlankPlace, rows: CacheRows) {
    this.#place = place;
    this.#rows = rows;
  }

  get first(): Choice {
    return this.#choice(this.#live[0]!);
  }

  get hypotheses(): Hypothesis[] {
    return this.#best([...this.#ended, ...this.#live]);
  }

  get unfed(): number | undefined {
    return this.#unfed;
  }

  async advance(chosen: readonly Chosen[]): Promise<Row[]> {
    const { maxTokens } = this.#place;
    await this.#select(this.#continuations(chosen));
    const length = this.#live[0]?.ids.length ?? maxTokens;
    if (length === maxTokens || !this.#canImprove(length)) {
      this.#finish();
      return [];
    }
    this.#releaseUnused();
    return this.#live.map((beam) => this.#feed(beam));
  }

  /** All continuations that were chosen, the likeliest first. */
  #continuations(chosen: readonly Chosen[]): Continuation[] {
    const all: Continuation[] = [];
    this.#live.forEach((beam, b) => {
      const { ids, logprobs } = chosen[b]!;
      for (let i = 0; i < ids.length && ids[i]! >= 0; i++) {
        all.push({ beam, id: ids[i]!, logprob: beam.logprob + logprobs[i]! });
      }
    });
    return all.sort((a, b) => b.logprob - a.logprob);
  }

  async #select(continuations: readonly Continuation[]): Promise<void> {
    const { decoding, stop } = this.#place;
    const ends = endTokens(decoding);
    this.#live = [];
    for (const [rank, { beam, id, logprob }] of continuations.entries()) {
      if (this.#live.length === decoding.beams) break;
      if (ends.includes(id)) {
        if (rank < decoding.beams) this.#ended.push({ ...beam, logprob, finished: true });
        continue;
      }
      const next = { ids: [...beam.ids, id], logprob, finished: false, path: beam.path };
      const stopped = next.ids.length >= decoding.minTokens && ((await stop?.isIn(next.ids)) ?? false);
      if (stopped) this.#ended.push({ ...next, finished: true });
      else this.#live.push(next);
    }
    this.#ended = this.#best(this.#ended);
  }

  /** Whether a beam may still get a better score than the worst hypothesis that is kept. */
  #canImprove(length: number): boolean {
    const { decoding, maxTokens } = this.#place;
    const { beams, lengthPenalty } = decoding;
    if (this.#ended.length < beams) return true;
    // Log-probabilities only fall; the kindest length is the longest, or with a penalty below 0 the next.
    const kindest = lengthPenalty >= 0 ? maxTokens : length + 1;
    return this.#live[0]!.logprob / kindest ** lengthPenalty > score(this.#ended.at(-1)!, lengthPenalty);
  }

  #finish(): void {
    const all = this.#best([...this.#ended, ...this.#live]);
    const [best] = all;
    this.#live = [];
    this.#ended = all;
    if (best === undefined) return;
    if (best.path.length < best.ids.length) this.#unfed = best.ids.at(-1);
    this.#rows.keep(best.path);
    for (const row of best.path) this.#own.delete(row);
    this.#rows.release(this.#own);
  }

  /** Gives back the rows of beams that died. */
  #releaseUnused(): void {
    const used = new Set([...this.#live, ...this.#ended].flatMap(({ path }) => path));
    const unused = [...this.#own].filter((row) => !used.has(row));
    for (const row of unused) this.#own.delete(row);
    this.#rows.release(unused);
  }

  #feed(beam: Beam): Row {
    const slot = this.#rows.take();
    this.#own.add(slot);
    beam.path = [...beam.path, slot];
    return {
      id: beam.ids.at(-1)!,
      position: this.#place.position,
      blockPosition: beam.ids.length + 1,
      slot,
      sees: [...this.#rows.trunk, ...beam.path],
      choice: this.#choice(beam),
    };
  }

  #choice({ ids }: Hypothesis): Choice {
    const { number, decoding, seed } = this.#place;
    return {
      count: 2 * decoding.beams,
      temperature: 0,
      topK: 0,
      topP: 1,
      seed,
      draw: [number, ids.length],
      forbidden: forbiddenTokens(decoding, ids),
    };
  }

  #best(beams: readonly Beam[]): Beam[] {
    const { lengthPenalty, beams: count } = this.#place.decoding;
    return [...beams].sort((a, b) => score(b, lengthPenalty) - score(a, lengthPenalty)).slice(0, count);
  }
}
