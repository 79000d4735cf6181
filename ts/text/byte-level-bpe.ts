import { GlmError } from '../errors.js';
import type { ByteLevelBpeDefinition } from './definition.js';
import type { IdBuffer } from './id-buffer.js';
import { MergeTable } from './merges.js';
import { stretches } from './stretches.js';
import type { Subwords } from './subwords.js';
import { WordCache } from './word-cache.js';

/**
 * English contractions, then runs of letters, of digits and of anything else, each with the space before it,
 * then white space.
 */
const gpt2Pattern = new RegExp(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+" +
    '|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+',
  'gu',
);

/** Cuts text into words as GPT-2 does (encoder.py of openai/gpt-2); gives them in batches. */
export function* gpt2Words(text: string): Iterable<readonly string[]> {
  for (const stretch of stretches(text)) yield stretch.match(gpt2Pattern) ?? [];
}

/**
 * GPT-2's printable character for each byte: printable Latin-1 stands for itself, the other 68 bytes follow
 * from U+0100 in their order.
 */
export const byteCharacters: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
})();

/** Bytes in the order of GPT-2's vocabulary: first those that are printable. */
export const byteOrder: readonly number[] = Array.from({ length: 256 }, (_, byte) => byte).sort(
  (a, b) => byteCharacters[a]!.charCodeAt(0) - byteCharacters[b]!.charCodeAt(0),
);

const byteOfCharacter = new Map(byteCharacters.map((character, byte) => [character, byte]));

/** Byte-level byte pair encoding (GPT-2, RoBERTa, and what `Tokenizer.train` makes with type 'bpe'). */
export class ByteLevelBpe implements Subwords {
  readonly type = 'bpe';
  readonly size: number;
  readonly #pieces: readonly string[];
  readonly #idOf = new Map<string, number>();
  readonly #idOfByte: Int32Array;
  readonly #merges: MergeTable;
  readonly #cache = new WordCache();
  readonly #utf8 = new TextEncoder();

  constructor(definition: ByteLevelBpeDefinition) {
    this.#pieces = definition.pieces;
    this.size = definition.pieces.length;
    definition.pieces.forEach((piece, id) => this.#idOf.set(piece, id));
    this.#idOf.delete('');

    this.#idOfByte = Int32Array.from(byteCharacters, (character, byte) => {
      const id = this.#idOf.get(character);
      if (id !== undefined) return id;
      throw new GlmError(
        'GLM_TOKENIZER',
        `expected a byte-level BPE vocabulary with a piece for each of the 256 bytes, ` +
          `found none for byte ${byte} ('${character}')`,
      );
    });

    this.#merges = new MergeTable(definition.merges.length);
    definition.merges.forEach(([left, right], rank) => {
      const leftId = this.#idOf.get(left);
      const rightId = this.#idOf.get(right);
      const merged = this.#idOf.get(left + right);
      if (leftId === undefined || rightId === undefined || merged === undefined) {
        throw new GlmError(
          'GLM_TOKENIZER',
          `expected merge ${rank + 1} ('${left} ${right}') to join two pieces of the vocabulary to a third, ` +
            `but not all three are in it; ` +
            `the vocabulary and the merges do not belong together`,
        );
      }
      this.#merges.add(leftId, rightId, rank, merged);
    });
  }

  encode(text: string, ids: IdBuffer): void {
    for (const words of gpt2Words(text)) {
      for (const word of words) {
        const known = this.#cache.get(word);
        if (typeof known === 'number') ids.push(known);
        else if (known !== undefined) ids.append(known);
        else ids.append(this.#encodeWord(word));
      }
    }
  }

  #encodeWord(word: string): Int32Array {
    const symbols = Int32Array.from(this.#utf8.encode(word), (byte) => this.#idOfByte[byte]!);
    const tokens = symbols.slice(0, this.#merges.apply(symbols, symbols.length));
    this.#cache.set(word, tokens);
    return tokens;
  }

  idOf(piece: string): number | undefined {
    return this.#idOf.get(piece);
  }

  pieceOf(id: number): string | undefined {
    return this.#pieces[id] || undefined;
  }

  written(id: number): string {
    return this.#bytesOf(id).toString('utf8');
  }

  /** Joins the bytes of all pieces; bytes that are no UTF-8 become U+FFFD, as in the original. */
  decode(ids: ArrayLike<number>, commandText: (id: number) => string | undefined): string {
    const parts = Array.from(ids, (id) => {
      const command = commandText(id);
      return command === undefined ? this.#bytesOf(id) : Buffer.from(command);
    });
    return Buffer.concat(parts).toString('utf8');
  }

  /** A character may be spread over several pieces. */
  mayChange(text: string): boolean {
    return text.endsWith('\ufffd');
  }

  /**
   * The bytes that a piece spells. One with characters outside of GPT-2's alphabet, added by hand, stands for
   * its own UTF-8.
   */
  #bytesOf(id: number): Buffer {
    const piece = this.#pieces[id] ?? '';
    const bytes = Buffer.allocUnsafe(piece.length);
    for (let i = 0; i < piece.length; i++) {
      const byte = byteOfCharacter.get(piece[i]!);
      if (byte === undefined) return Buffer.from(piece);
      bytes[i] = byte;
    }
    return bytes;
  }
}
