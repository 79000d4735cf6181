import { CommandTokens } from './command-tokens.js';
import { IdBuffer } from './id-buffer.js';
import type { CommandToken } from './special-tokens.js';
import type { Subwords } from './subwords.js';
import { TextStream } from './text-stream.js';
import { isBlank } from './white-space.js';

/** Encodes and decodes on the calling thread: a tokenizer without threads, files and promises. */
export class Codec {
  /** One more than the largest id. */
  readonly size: number;
  readonly #subwords: Subwords;
  readonly #commands: CommandTokens;
  readonly #ids = new IdBuffer();

  constructor(subwords: Subwords, commands: readonly CommandToken[]) {
    this.#subwords = subwords;
    this.#commands = new CommandTokens(commands);
    this.size = commands.reduce((size, token) => Math.max(size, token.id + 1), subwords.size);
  }

  encode(text: string): Int32Array {
    if (isBlank(text)) return new Int32Array(0);
    this.#ids.clear();
    this.#commands.split(
      text,
      (stretch) => this.#subwords.encode(stretch, this.#ids),
      (id) => this.#ids.push(id),
    );
    return this.#ids.toArray();
  }

  decode(ids: ArrayLike<number>): string {
    return this.#subwords.decode(ids, (id) => this.#commands.textOf(id));
  }

  stream(): TextStream {
    return new TextStream(
      (ids) => this.decode(ids),
      (text) => this.#subwords.mayChange(text),
    );
  }

  /** The piece of an id, or the text of a command token. */
  token(id: number): string {
    return this.#commands.textOf(id) ?? this.#subwords.pieceOf(id) ?? `<|unused_${id}|>`;
  }

  /** What an id writes, as far as it says by itself. */
  written(id: number): string {
    return this.#commands.textOf(id) ?? this.#subwords.written(id);
  }
}
