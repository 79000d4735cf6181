import type { TextStream } from '../text/text-stream.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { SequenceListener } from './sequence.js';
import { StopTexts } from './stop-texts.js';

/** A token of a blank as it comes. The texts of a blank's chunks, joined, are the blank's text. */
export interface StreamChunk {
  /** The number of the blank, in order of position. */
  blank: number;
  id: number;
  /** Whole characters: empty while a character, or what may be a stop text, is incomplete. */
  text: string;
  /** Natural, of the raw distribution. */
  logprob: number;
}

/** Chunks of one blank: a token waits until what it writes is settled. */
class BlankText {
  readonly #blank: number;
  readonly #stream: TextStream | undefined;
  readonly #stop: StopTexts | undefined;
  #waiting: StreamChunk[] = [];
  #text = ''; // as far as tokens have settled it
  #given = 0;

  constructor(blank: number, tokenizer: Tokenizer | undefined, stop: readonly string[]) {
    this.#blank = blank;
    this.#stream = tokenizer?.decodeStream();
    this.#stop = tokenizer !== undefined && stop.length > 0 ? new StopTexts(tokenizer, stop) : undefined;
  }

  push(id: number, logprob: number): StreamChunk[] {
    this.#waiting.push({ blank: this.#blank, id, text: '', logprob });
    if (this.#stream === undefined) return this.#give(this.#waiting.length, '');
    const more = this.#stream.push(id);
    if (more === '') return [];
    this.#text += more;
    const settled = this.#stop?.settled(this.#text) ?? this.#text;
    // What is held back has to come with a token: the newest waits for it.
    const tokens = settled === this.#text ? this.#waiting.length : this.#waiting.length - 1;
    return tokens === 0 ? [] : this.#give(tokens, settled);
  }

  end(): StreamChunk[] {
    this.#text += this.#stream?.end() ?? '';
    return this.#give(this.#waiting.length, this.#stop?.before(this.#text) ?? this.#text);
  }

  /** The first `tokens` that wait; the last of them brings the text up to the end of `settled`. */
  #give(tokens: number, settled: string): StreamChunk[] {
    const chunks = this.#waiting.splice(0, tokens);
    const last = chunks.at(-1);
    if (last !== undefined && settled.length > this.#given) {
      last.text = settled.slice(this.#given);
      this.#given = settled.length;
    }
    return chunks;
  }
}

/** Chunks that wait for a reader. */
export class ChunkQueue implements SequenceListener {
  readonly #tokenizer: Tokenizer | undefined;
  readonly #stop: readonly string[];
  readonly #chunks: StreamChunk[] = [];
  #text: BlankText | undefined;
  #wake: (() => void) | undefined;
  #error: { reason: unknown } | undefined;
  #closed = false;

  constructor(tokenizer: Tokenizer | undefined, stop: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#stop = stop;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get length(): number {
    return this.#chunks.length;
  }

  token(blank: number, id: number, logprob: number): void {
    this.#text ??= new BlankText(blank, this.#tokenizer, this.#stop);
    this.#add(this.#text.push(id, logprob));
  }

  ended(): void {
    this.#add(this.#text?.end() ?? []);
    this.#text = undefined;
  }

  /** No more chunks come; readers get what waits, then the end, or the error if there is one. */
  close(): void {
    this.#closed = true;
    this.ended();
    this.#wake?.();
  }

  /** Readers get the error at once. */
  fail(reason: unknown): void {
    this.#error = { reason };
    this.close();
  }

  /** The next chunk, or undefined at the end. */
  async next(): Promise<StreamChunk | undefined> {
    while (this.#chunks.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#error !== undefined) throw this.#error.reason;
    return this.#chunks.shift();
  }

  #add(chunks: readonly StreamChunk[]): void {
    this.#chunks.push(...chunks);
    if (chunks.length > 0) this.#wake?.();
  }
}
