import { gpt2Words } from '../byte-level-bpe.js';
import { CommandTokens } from '../command-tokens.js';
import { ownCopy } from '../own-copy.js';
import { commandText } from '../special-tokens.js';
import { basicTokens, spacedWords } from '../word-piece.js';

export type TrainableType = 'bpe' | 'wordpiece';

/**
 * How often each word occurs in text, in the words of one kind of tokenizer. Command tokens in the text are
 * no words.
 */
export class WordCounts {
  readonly #counts = new Map<string, number>();
  readonly #commands = new CommandTokens(
    [...Object.values(commandText), '[PAD]'].map((text) => ({ text, id: 0, leftStrip: false })),
  );
  readonly #words: (text: string) => Iterable<readonly string[]>;

  constructor(type: TrainableType) {
    this.#words = type === 'bpe' ? gpt2Words : basicWords;
  }

  add(text: string): void {
    this.#commands.split(
      text,
      (stretch) => {
        for (const words of this.#words(stretch)) for (const word of words) this.#add(word, 1);
      },
      () => undefined,
    );
  }

  addAll(words: readonly string[], counts: Float64Array): void {
    words.forEach((word, i) => this.#add(word, counts[i]!));
  }

  get size(): number {
    return this.#counts.size;
  }

  words(): string[] {
    return [...this.#counts.keys()];
  }

  counts(): Float64Array {
    return Float64Array.from(this.#counts.values());
  }

  #add(word: string, count: number): void {
    const known = this.#counts.get(word);
    this.#counts.set(known === undefined ? ownCopy(word) : word, (known ?? 0) + count);
  }
}

function* basicWords(text: string): Iterable<readonly string[]> {
  for (const word of spacedWords(text)) yield basicTokens(word, true);
}
