/**
 * The texts that training sees, as the original cuts them out of documents (BlockDataset in data_utils/datasets.py), and
 * which of them is sample number s.
 *
 * A window has a place among the tokens of all documents: an epoch has as many windows as it takes to cover them, at even
 * distances, all moved at random. The document at that place is the window's. Of a document longer than the window, the windows that fall
 * into it take parts that do not overlap, as a whole moved at random; the part is then moved to the beginning of a
 * sentence and ends with one. A shorter document is taken whole, and further ones, chosen at random by their length, fill
 * the window up.
 *
 * Differences from the original: it draws places independently, so that an epoch leaves out a third of the text and sees
 * the rest more than once; it never shows the end of a long document; where no sentence begins within half a window, it
 * starts half a window away all the same, and this starts where it was; half of its windows at the very beginning of a
 * long document start with the second sentence.
 */

import type { DocumentIndex, DocumentPlace } from './document-index.js';
import { Draws, purposes } from './draws.js';
import { Permutation } from './permutation.js';
import type { TokenFile } from './token-file.js';

/** How documents become windows. */
export interface WindowRules {
  /** Windows of one document only, however short. The original's --sample-one-document. */
  readonly oneDocument: boolean;
  /** Begin windows inside of documents with a sentence. The original does so unless --non-sentence-start. */
  readonly sentenceStart: boolean;
  /** End windows that are cut off with a sentence, unless that costs half of it. */
  readonly sentenceEnd: boolean;
}

export interface WindowVocabulary {
  readonly cls: number;
  /** 1 for each id whose piece ends a sentence. */
  readonly sentenceEnds: Uint8Array;
}

interface Epoch {
  readonly number: number;
  readonly order: Permutation;
  /** How far all windows are moved, as a share of the distance between two. */
  readonly shift: number;
  /** For how far those of a long document are. */
  readonly phaseSeed: number;
}

/** The windows of at most `length` tokens under one seed. */
export class Windows {
  /** Of an epoch. */
  readonly count: number;
  readonly #tokens: TokenFile;
  readonly #index: DocumentIndex;
  readonly #vocabulary: WindowVocabulary;
  readonly #rules: WindowRules;
  readonly #length: number;
  readonly #seed: number;
  #epoch: Epoch | undefined;

  constructor(
    files: { readonly tokens: TokenFile; readonly index: DocumentIndex },
    vocabulary: WindowVocabulary,
    rules: WindowRules,
    length: number,
    seed: number,
  ) {
    this.#tokens = files.tokens;
    this.#index = files.index;
    this.#vocabulary = vocabulary;
    this.#rules = rules;
    this.#length = length;
    this.#seed = seed;
    this.count = Math.ceil(this.#index.tokens / length);
  }

  /** Sample number `sample` of the run: windows in a random order, another one in each epoch, or as the text has them. */
  async sample(sample: number, shuffle: boolean): Promise<Int32Array> {
    const epoch = this.#epochAt(Math.floor(sample / this.count));
    const place = sample % this.count;
    const window = shuffle ? epoch.order.at(place) : place;
    const draws = new Draws(this.#seed, sample, purposes.window);
    const document = await this.#index.find(this.#positionOf(window, epoch));
    if (document.length > this.#length) return this.#partOf(document, window, epoch, draws);
    const first = await this.#tokens.read(document.fileBegin, document.length);
    return this.#rules.oneDocument ? first : this.#fillUp(first, draws);
  }

  #epochAt(number: number): Epoch {
    if (this.#epoch?.number !== number) {
      const order = new Permutation(this.count, this.#seed, number, purposes.order);
      const draws = new Draws(this.#seed, number, purposes.phase);
      this.#epoch = { number, order, shift: draws.fraction(), phaseSeed: draws.below(2 ** 53) };
    }
    return this.#epoch;
  }

  /** Where a window lies among the tokens. */
  #positionOf(window: number, { shift }: Epoch): number {
    return Math.floor((window + shift) * (this.#index.tokens / this.count));
  }

  /** The first window at a position or behind it; the number of windows if there is none. */
  #firstWindowFrom(position: number, epoch: Epoch): number {
    let window = Math.floor(position / (this.#index.tokens / this.count));
    while (window > 0 && this.#positionOf(window - 1, epoch) >= position) window--;
    while (window < this.count && this.#positionOf(window, epoch) < position) window++;
    return window;
  }

  async #partOf(document: DocumentPlace, window: number, epoch: Epoch, draws: Draws): Promise<Int32Array> {
    const first = this.#firstWindowFrom(document.begin, epoch);
    const parts = this.#firstWindowFrom(document.begin + document.length, epoch) - first;
    const spare = document.length - parts * this.#length;
    const moved = new Draws(epoch.phaseSeed, document.document, purposes.phase).below(Math.abs(spare) + 1);
    // With too few windows for all of it, some is left out at both ends; with too many, the outermost ones overlap others.
    const place = (window - first) * this.#length + (spare >= 0 ? moved : -moved);
    const begin = Math.min(Math.max(0, place), document.length - this.#length);

    // The sentences' ends are looked for in a window with half a window on each side.
    const half = this.#length >> 1;
    const readFrom = Math.max(0, begin - half - 1);
    const readTo = Math.min(document.length, begin + half + this.#length);
    const tokens = await this.#tokens.read(document.fileBegin + readFrom, readTo - readFrom);
    let from = begin - readFrom;
    if (this.#rules.sentenceStart && begin > 0) {
      from = this.#sentenceStart(tokens, from, draws.below(2) === 0 ? -1 : 1, readFrom);
    }
    return this.#cutOff(tokens.subarray(from), this.#length);
  }

  /** The beginning of a sentence nearest to `from` on one side, at most half a window away, or `from`. */
  #sentenceStart(tokens: Int32Array, from: number, step: -1 | 1, readFrom: number): number {
    const { sentenceEnds } = this.#vocabulary;
    for (let moved = 0, at = from; moved <= this.#length >> 1; moved++, at += step) {
      if (readFrom + at === 0) return at;
      // Behind the last sentence's end there is only the end-of-text.
      if (at < 1 || at >= tokens.length - 1) break;
      if (sentenceEnds[tokens[at - 1]!] === 1) return at;
    }
    return from;
  }

  /** Documents behind each other, each further one with a [CLS] in front. */
  async #fillUp(first: Int32Array, draws: Draws): Promise<Int32Array> {
    const pieces = [first];
    let room = this.#length - first.length;
    // A [CLS] and one token is the least that is added.
    while (room > 1) {
      const { fileBegin, length } = await this.#index.find(draws.below(this.#index.tokens));
      // One token more than there is room for shows that the document is cut off.
      const document = await this.#tokens.read(fileBegin, Math.min(length, room));
      const piece = this.#cutOff(document, room - 1);
      pieces.push(Int32Array.of(this.#vocabulary.cls), piece);
      if (piece.length < document.length) break;
      room -= 1 + piece.length;
    }
    return concatenate(pieces);
  }

  /** At most `length` tokens, up to a sentence's end if at least half of them are left then. */
  #cutOff(tokens: Int32Array, length: number): Int32Array {
    if (tokens.length <= length) return tokens.slice();
    if (this.#rules.sentenceEnd) {
      const { sentenceEnds } = this.#vocabulary;
      // The original counts the [CLS] in front.
      const least = Math.max(1, ((length + 1) >> 1) - 1);
      for (let end = length; end >= least; end--) {
        if (sentenceEnds[tokens[end - 1]!] === 1) return tokens.slice(0, end);
      }
    }
    return tokens.slice(0, length);
  }
}

function concatenate(pieces: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
