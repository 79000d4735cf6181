import { CharsMap } from './chars-map.js';
import type { SentencePieceModel } from './model-file.js';

/** How SentencePiece writes a space in pieces. */
export const spaceSymbol = '\u2581';

const space = 0x20;
const spaceSymbolBytes = Buffer.from(spaceSymbol);

type NormalizerSettings = Pick<SentencePieceModel, 'charsMap' | 'addDummyPrefix' | 'removeExtraWhitespaces'>;

/**
 * SentencePiece's normaliser (normalizer.cc): rewrites characters by the model's rules, tidies white space
 * and makes it visible.
 */
export class Normalizer {
  readonly #rules: CharsMap;
  readonly #addDummyPrefix: boolean;
  readonly #removeExtraWhitespaces: boolean;
  /** By first byte: pieces that are never rewritten, the longest first. */
  readonly #userDefined: readonly (readonly Uint8Array[] | undefined)[];

  constructor(settings: NormalizerSettings, userDefined: readonly string[]) {
    this.#addDummyPrefix = settings.addDummyPrefix;
    this.#removeExtraWhitespaces = settings.removeExtraWhitespaces;
    this.#rules = new CharsMap(settings.charsMap);
    const byFirst: Uint8Array[][] = [];
    for (const piece of userDefined.map((text) => Buffer.from(text)).sort((a, b) => b.length - a.length)) {
      (byFirst[piece[0]!] ??= []).push(piece);
    }
    this.#userDefined = byFirst;
  }

  normalize(text: string): string {
    const input = Buffer.from(text);
    const output = new ByteBuffer(input.length * 2 + spaceSymbolBytes.length);
    let isFirst = true;
    let afterSpace = this.#removeExtraWhitespaces;
    const write = (byte: number): void => {
      if (byte === space && afterSpace) return;
      if (isFirst && this.#addDummyPrefix) output.append(spaceSymbolBytes);
      isFirst = false;
      if (byte === space) output.append(spaceSymbolBytes);
      else output.push(byte);
      afterSpace = this.#removeExtraWhitespaces && byte === space;
    };

    for (let at = 0; at < input.length;) {
      const first = input[at]!;
      const piece = this.#userDefined[first]?.find((bytes) => startsWith(input, at, bytes));
      const rule = piece === undefined ? this.#rules.longestRule(input, at) : undefined;
      const length = piece?.length ?? rule?.length ?? characterLength(first);
      if (rule === undefined) for (let i = at; i < at + length; i++) write(input[i]!);
      else for (const byte of rule.replacement) write(byte);
      at += length;
    }
    if (this.#removeExtraWhitespaces) output.trimEnd(spaceSymbolBytes);
    return output.toString();
  }
}

/** The length in bytes of a UTF-8 character with this first byte. */
function characterLength(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  return prefix.every((byte, i) => bytes[at + i] === byte);
}

class ByteBuffer {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  push(byte: number): void {
    if (this.#length === this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, this.#bytes]);
    this.#bytes[this.#length++] = byte;
  }

  append(bytes: Uint8Array): void {
    for (const byte of bytes) this.push(byte);
  }

  trimEnd(bytes: Buffer): void {
    while (this.#bytes.subarray(0, this.#length).subarray(-bytes.length).equals(bytes))
      this.#length -= bytes.length;
  }

  toString(): string {
    return this.#bytes.toString('utf8', 0, this.#length);
  }
}
