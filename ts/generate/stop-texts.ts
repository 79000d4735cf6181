import type { Tokenizer } from '../text/tokenizer.js';

/** Texts that end a blank. */
export class StopTexts {
  readonly #tokenizer: Tokenizer;
  readonly #texts: readonly string[];

  constructor(tokenizer: Tokenizer, texts: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#texts = texts;
  }

  /** Whether a stop text is in what the ids write. */
  async isIn(ids: readonly number[]): Promise<boolean> {
    const text = await this.#tokenizer.decode(ids);
    return this.before(text) !== text;
  }

  /** The text before the first stop text. */
  before(text: string): string {
    const starts = this.#texts.map((stop) => text.indexOf(stop)).filter((start) => start >= 0);
    return starts.length === 0 ? text : text.slice(0, Math.min(...starts));
  }

  /** The text before the first stop text, or before what may turn out to be the beginning of one. */
  settled(text: string): string {
    const before = this.before(text);
    if (before !== text) return before;
    let begun = 0;
    for (const stop of this.#texts) {
      for (let length = Math.min(stop.length - 1, text.length); length > begun; length--) {
        if (text.endsWith(stop.slice(0, length))) begun = length;
      }
    }
    return text.slice(0, text.length - begun);
  }
}
