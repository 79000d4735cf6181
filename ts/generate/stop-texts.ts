import type { Tokenizer } from '../text/tokenizer.js';

/** Texts that end a blank. */
export class StopTexts {
  readonly #tokenizer: Tokenizer;
  readonly #texts: readonly string[];

  constructor(tokenizer: Tokenizer, texts: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#texts = texts;
  }

  /** The text of `ids` before the first stop text, or undefined when there is none in it. */
  async find(ids: readonly number[]): Promise<string | undefined> {
    const text = await this.#tokenizer.decode(ids);
    const start = this.#first(text);
    return start < 0 ? undefined : text.slice(0, start);
  }

  /** How many characters at the end of `text` may turn out to begin a stop text. */
  undecided(text: string): number {
    let longest = 0;
    for (const stop of this.#texts) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }

  #first(text: string): number {
    const starts = this.#texts.map((stop) => text.indexOf(stop)).filter((start) => start >= 0);
    return starts.length === 0 ? -1 : Math.min(...starts);
  }
}
