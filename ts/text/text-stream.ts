/** Writes text while its tokens come in. What `push` and `end` give makes up, joined, the decoded text. */
export class TextStream {
  readonly #decode: (ids: readonly number[]) => string;
  readonly #mayChange: (text: string) => boolean;
  readonly #ids: number[] = [];
  #written = '';

  /**
   * @param decode of all ids so far: how a token is written may depend on those before it
   * @param mayChange whether the end of a text may become another one with the next token: half a character,
   * a hyphen
   */
  constructor(decode: (ids: readonly number[]) => string, mayChange: (text: string) => boolean) {
    this.#decode = decode;
    this.#mayChange = mayChange;
  }

  /**
   * Adds a token. Returns what can be written now; that may be nothing, and may end tokens that came before.
   */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#decode(this.#ids);
    return this.#mayChange(text) || !text.startsWith(this.#written) ? '' : this.#write(text);
  }

  /** What was held back. */
  end(): string {
    return this.#write(this.#decode(this.#ids));
  }

  #write(text: string): string {
    const more = text.slice(this.#written.length);
    this.#written = text;
    return more;
  }
}
