import type { TokenChunk } from './tokenize-messages.js';

const chunkTokens = 1 << 17;
/** Chunks that a worker may have under way before it waits for them to be written. */
const mostUnderWay = 32;

/** Collects tokens and sends them on in chunks, no more than can be written away: memory stays flat for any document. */
export class ChunkWriter {
  readonly #bytesPerToken: 2 | 4;
  readonly #send: (chunk: TokenChunk) => void;
  /** Memory that came back. Left to the garbage collector, a hundred megabytes would lie around. */
  readonly #spare: ArrayBuffer[] = [];
  #tokens: TokenChunk['tokens'];
  #count = 0;
  #documents: number[] = [];
  #documentTokens = 0;
  #underWay = 0;
  #resume: (() => void) | undefined;

  constructor(bytesPerToken: 2 | 4, send: (chunk: TokenChunk) => void) {
    this.#bytesPerToken = bytesPerToken;
    this.#send = send;
    this.#tokens = this.#empty();
  }

  add(ids: Int32Array): void {
    this.#documentTokens += ids.length;
    for (let from = 0; from < ids.length;) {
      const room = chunkTokens - this.#count;
      const piece = ids.subarray(from, from + room);
      this.#tokens.set(piece, this.#count);
      this.#count += piece.length;
      from += piece.length;
      if (this.#count === chunkTokens) this.flush();
    }
  }

  /** A document without any tokens is left out. */
  endDocument(endOfText: number): void {
    if (this.#documentTokens === 0) return;
    this.add(Int32Array.of(endOfText));
    this.#documents.push(this.#documentTokens);
    this.#documentTokens = 0;
  }

  flush(): void {
    if (this.#count === 0 && this.#documents.length === 0) return;
    const tokens = this.#tokens.subarray(0, this.#count);
    this.#send({ type: 'chunk', tokens, documents: Float64Array.from(this.#documents) });
    this.#underWay++;
    this.#tokens = this.#empty();
    this.#count = 0;
    this.#documents = [];
  }

  /** A chunk has been written. */
  written(memory: ArrayBuffer): void {
    this.#spare.push(memory);
    this.#underWay--;
    if (this.#underWay >= mostUnderWay) return;
    this.#resume?.();
    this.#resume = undefined;
  }

  async roomForMore(): Promise<void> {
    if (this.#underWay < mostUnderWay) return;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
  }

  #empty(): TokenChunk['tokens'] {
    const memory = this.#spare.pop() ?? new ArrayBuffer(chunkTokens * this.#bytesPerToken);
    return this.#bytesPerToken === 2 ? new Uint16Array(memory) : new Uint32Array(memory);
  }
}
