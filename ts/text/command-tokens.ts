import { escapeForRegExp } from './escape-for-reg-exp.js';
import type { CommandToken } from './special-tokens.js';
import { trimmedEnd } from './white-space.js';

/**
 * Finds command tokens in text, with the original's white-space rules (`EncodeAsIds` in
 * data_utils/tokenization.py).
 */
export class CommandTokens {
  readonly #byText: Map<string, CommandToken>;
  readonly #textById: Map<number, string>;
  readonly #anywhere: RegExp | undefined;

  constructor(tokens: readonly CommandToken[]) {
    this.#byText = new Map(tokens.map((token) => [token.text, token]));
    this.#textById = new Map(tokens.map((token) => [token.id, token.text]));
    // Longest first: of two tokens that start at one place the longer is meant.
    const alternatives = [...this.#byText.keys()].sort((a, b) => b.length - a.length).map(escapeForRegExp);
    this.#anywhere = alternatives.length > 0 ? new RegExp(alternatives.join('|'), 'g') : undefined;
  }

  /**
   * Calls back for the text between command tokens and for each command token, in order. Empty stretches are
   * left out.
   */
  split(text: string, onText: (text: string) => void, onCommand: (id: number) => void): void {
    let from = 0;
    if (this.#anywhere !== undefined) {
      for (const match of text.matchAll(this.#anywhere)) {
        const token = this.#byText.get(match[0])!;
        const end = token.leftStrip ? trimmedEnd(text, from, match.index) : match.index;
        if (end > from) onText(text.slice(from, end));
        onCommand(token.id);
        from = match.index + token.text.length;
      }
    }
    if (from < text.length) onText(from === 0 ? text : text.slice(from));
  }

  /** How the command token with this id is written, or undefined if the id is not one. */
  textOf(id: number): string | undefined {
    return this.#textById.get(id);
  }
}
