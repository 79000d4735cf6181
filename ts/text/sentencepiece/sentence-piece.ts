import type { SentencePieceDefinition } from '../definition.js';
import { escapeForRegExp } from '../escape-for-reg-exp.js';
import type { IdBuffer } from '../id-buffer.js';
import { MergeTable } from '../merges.js';
import type { Subwords } from '../subwords.js';
import { WordCache } from '../word-cache.js';
import { type Piece, pieceType, readSentencePieceModel, type SentencePieceModel } from './model-file.js';
import { Normalizer, spaceSymbol } from './normalizer.js';

/** A SentencePiece model of type BPE (the Chinese GLMs); gives the ids of the sentencepiece library. */
export class SentencePiece implements Subwords {
  readonly type = 'sentencepiece';
  readonly size: number;
  readonly #model: SentencePieceModel;
  readonly #normalizer: Normalizer;
  readonly #idOf: Map<string, number>;
  readonly #unknown: number;
  readonly #merges: MergeTable;
  /** Cuts normalised text into symbols: user-defined pieces, and characters. */
  readonly #symbol: RegExp;
  /** Cuts normalised text where no piece goes across. */
  readonly #word: RegExp;
  readonly #cache = new WordCache();

  constructor({ file }: SentencePieceDefinition) {
    const model = readSentencePieceModel(file);
    const { pieces } = model;
    this.#model = model;
    this.size = pieces.length;
    const ofType = (...types: number[]): number[] =>
      [...pieces.keys()].filter((id) => types.includes(pieces[id]!.type));
    const userDefined = ofType(pieceType.userDefined).map((id) => pieces[id]!.text);
    this.#normalizer = new Normalizer(model, userDefined);
    this.#idOf = new Map(ofType(pieceType.normal, pieceType.userDefined).map((id) => [pieces[id]!.text, id]));
    this.#unknown = ofType(pieceType.unknown)[0] ?? 0;
    this.#merges = mergesOf(ofType(pieceType.normal), pieces);

    const longestFirst = userDefined.sort((a, b) => b.length - a.length).map((text) => escapeForRegExp(text));
    this.#symbol = new RegExp([...longestFirst, '.'].join('|'), 'gsu');
    const spacesLead = pieces.every(({ text }) => !text.includes(spaceSymbol, 1));
    this.#word = spacesLead ? new RegExp(`${spaceSymbol}?[^${spaceSymbol}]+|${spaceSymbol}`, 'gu') : /.+/gsu;
  }

  encode(text: string, ids: IdBuffer): void {
    for (const word of this.#normalizer.normalize(text).match(this.#word) ?? []) {
      const known = this.#cache.get(word);
      if (typeof known === 'number') ids.push(known);
      else if (known !== undefined) ids.append(known);
      else ids.append(this.#encodeWord(word));
    }
  }

  #encodeWord(word: string): Int32Array {
    const characters = word.match(this.#symbol) ?? [];
    const symbols = Int32Array.from(characters, (character) => this.#idOf.get(character) ?? this.#unknown);
    const merged = symbols.subarray(0, this.#merges.apply(symbols, symbols.length));
    // Unknown characters in a row are one token.
    const ids = merged.filter((id, i) => id !== this.#unknown || merged[i - 1] !== this.#unknown);
    this.#cache.set(word, ids);
    return ids;
  }

  idOf(piece: string): number | undefined {
    return this.#idOf.get(piece);
  }

  pieceOf(id: number): string | undefined {
    return this.#model.pieces[id]?.text;
  }

  written(id: number): string {
    return this.#write(id).replaceAll(spaceSymbol, ' ');
  }

  /**
   * The library's way (`DecodeIds`): no space at the start. Command tokens stand between stretches that are
   * decoded each for itself.
   */
  decode(ids: ArrayLike<number>, commandText: (id: number) => string | undefined): string {
    let text = '';
    let stretch = '';
    for (let i = 0; i < ids.length; i++) {
      const command = commandText(ids[i]!);
      if (command !== undefined) {
        text += stretch + command;
        stretch = '';
        continue;
      }
      const piece = this.#write(ids[i]!);
      const drop = stretch === '' && this.#model.addDummyPrefix && piece.startsWith(spaceSymbol);
      stretch += (drop ? piece.slice(1) : piece).replaceAll(spaceSymbol, ' ');
    }
    return text + stretch;
  }

  mayChange(): boolean {
    return false;
  }

  #write(id: number): string {
    const piece = this.#model.pieces[id];
    if (piece === undefined || piece.type === pieceType.control) return '';
    return piece.type === pieceType.unknown ? this.#model.unknownSurface : piece.text;
  }
}

/**
 * Every way to put a piece together from two others. SentencePiece joins the pair whose piece has the highest
 * score, the leftmost of equals: the pieces in the order of their scores are the ranks.
 */
function mergesOf(ids: readonly number[], pieces: readonly Piece[]): MergeTable {
  const normal = new Map(ids.map((id) => [pieces[id]!.text, id]));
  const table = new MergeTable(ids.reduce((cuts, id) => cuts + pieces[id]!.text.length - 1, 0));
  let rank = -1;
  let score = Infinity;
  for (const merged of [...ids].sort((a, b) => pieces[b]!.score - pieces[a]!.score)) {
    const piece = pieces[merged]!;
    if (piece.score < score) rank++;
    score = piece.score;
    for (let cut = 1; cut < piece.text.length; cut++) {
      const left = normal.get(piece.text.slice(0, cut));
      if (left === undefined) continue;
      const right = normal.get(piece.text.slice(cut));
      if (right !== undefined) table.add(left, right, rank, merged);
    }
  }
  return table;
}
