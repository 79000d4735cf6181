import { GlmError } from '../errors.js';
import type { WordPieceDefinition } from './definition.js';
import { IdBuffer } from './id-buffer.js';
import type { Subwords } from './subwords.js';
import { WordCache } from './word-cache.js';
import { joinWordPieces } from './word-piece-text.js';

/** A longer word, in characters, is unknown as a whole. */
const maxWordLength = 100;
const unknownPiece = '[UNK]';

/** The characters that BERT takes for CJK ideographs: each is a word. */
const cjk =
  '\\u4e00-\\u9fff\\u3400-\\u4dbf\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2b73f}\\u{2b740}-\\u{2b81f}' +
  '\\u{2b820}-\\u{2ceaf}\\uf900-\\ufaff\\u{2f800}-\\u{2fa1f}';
/** And for punctuation: Unicode's, and all of ASCII that is neither letter, digit nor space. */
const punctuation = '\\p{P}!-/:-@[-`{-~';
const basicToken = new RegExp(`[${cjk}${punctuation}]|[^\\s${cjk}${punctuation}]+`, 'gu');

const spaced = /[^\t\n\r\p{Z}]+/gu;
const plain = /^[\x21-\x7e]*$/;
/** Control, format, private and unassigned characters, and the replacement character, are removed. */
const removed = /[\p{C}\ufffd]/gu;
/**
 * Whether there is a space before these depends on what follows; a Korean syllable may get one more letter.
 */
const openEnd = /['/_\-\u1100-\u11ff\uac00-\ud7a3]$/;
const accents = /\p{Mn}/gu;

/**
 * Cuts text at white space, as BERT's basic tokenizer sees it. All else that it does stays inside of these
 * words.
 */
export function spacedWords(text: string): readonly string[] {
  return text.match(spaced) ?? [];
}

/** BERT's basic tokenizer (tokenization.py of google-research/bert) on a word between white space. */
export function basicTokens(word: string, lowercase: boolean): readonly string[] {
  let text = word;
  if (plain.test(text)) {
    if (lowercase) text = text.toLowerCase();
  } else {
    text = text.replace(removed, '');
    if (lowercase) text = text.toLowerCase().normalize('NFD').replace(accents, '');
  }
  return text.match(basicToken) ?? [];
}

/** Word pieces (BERT, and what `Tokenizer.train` makes with type 'wordpiece'). */
export class WordPiece implements Subwords {
  readonly type = 'wordpiece';
  readonly size: number;
  readonly #pieces: readonly string[];
  readonly #lowercase: boolean;
  readonly #idOf: Map<string, number>;
  readonly #continuations = new Map<string, number>();
  readonly #longestPiece: number;
  readonly #unknown: number;
  readonly #cache = new WordCache();
  readonly #word = new IdBuffer();

  constructor({ pieces, lowercase }: WordPieceDefinition) {
    this.#pieces = pieces;
    this.#lowercase = lowercase;
    this.size = pieces.length;
    this.#idOf = new Map(pieces.map((piece, id) => [piece, id]));
    for (const [piece, id] of this.#idOf) {
      if (piece.startsWith('##')) this.#continuations.set(piece.slice(2), id);
    }
    this.#longestPiece = pieces.reduce((longest, piece) => Math.max(longest, piece.length), 0);
    const unknown = this.#idOf.get(unknownPiece);
    if (unknown === undefined) {
      throw new GlmError(
        'GLM_TOKENIZER',
        `expected a word-piece vocabulary with ${unknownPiece}, found none among ${pieces.length} pieces`,
      );
    }
    this.#unknown = unknown;
  }

  encode(text: string, ids: IdBuffer): void {
    for (const word of spacedWords(text)) {
      const known = this.#cache.get(word);
      if (typeof known === 'number') ids.push(known);
      else if (known !== undefined) ids.append(known);
      else ids.append(this.#encodeSpacedWord(word));
    }
  }

  #encodeSpacedWord(word: string): Int32Array {
    this.#word.clear();
    for (const token of basicTokens(word, this.#lowercase)) this.#encodeToken(token);
    const ids = this.#word.toArray();
    this.#cache.set(word, ids);
    return ids;
  }

  /**
   * Takes the longest piece that fits, again and again; if none fits somewhere, the whole token is unknown.
   */
  #encodeToken(token: string): void {
    const whole = this.#idOf.get(token);
    if (whole !== undefined) return this.#word.push(whole);
    const before = this.#word.length;
    if (characters(token) > maxWordLength) return this.#word.push(this.#unknown);
    for (let start = 0; start < token.length;) {
      const pieces = start === 0 ? this.#idOf : this.#continuations;
      let end = Math.min(token.length, start + this.#longestPiece);
      let id = pieces.get(token.slice(start, end));
      while (id === undefined && --end > start) id = pieces.get(token.slice(start, end));
      if (id === undefined) {
        this.#word.truncate(before);
        return this.#word.push(this.#unknown);
      }
      this.#word.push(id);
      start = end;
    }
  }

  idOf(piece: string): number | undefined {
    return this.#idOf.get(piece);
  }

  pieceOf(id: number): string | undefined {
    return this.#pieces[id] || undefined;
  }

  written(id: number): string {
    const piece = this.#pieces[id] ?? '';
    return piece.startsWith('##') && piece.length > 2 ? piece.slice(2) : piece;
  }

  decode(ids: ArrayLike<number>, commandText: (id: number) => string | undefined): string {
    return joinWordPieces(
      Array.from(ids, (id) => {
        const command = commandText(id);
        return { text: command ?? this.#pieces[id] ?? '', isCommand: command !== undefined };
      }),
    );
  }

  mayChange(text: string): boolean {
    return openEnd.test(text);
  }
}

function characters(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--;
  return count;
}
