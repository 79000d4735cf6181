import type { CorpusWriter } from './corpus-writer.js';
import { chainOf, type Checkpoint, type Identity } from './token-folder.js';
import type { PlannedPart } from '../../text/documents/plan.js';

/** Keeps track of what is complete, and commits it now and then. */
export class Committer {
  readonly #identity: Identity;
  readonly #chain: readonly string[];
  readonly #partBytes: number;
  readonly #every: number;
  readonly #writer: CorpusWriter;
  #checkpoint: Checkpoint;
  #committed: Checkpoint;
  #committedAt = performance.now();

  constructor(
    {
      identity,
      commitEvery = 1000,
    }: { readonly identity: Identity; readonly commitEvery?: number | undefined },
    partBytes: number,
    writer: CorpusWriter,
    from: Checkpoint,
  ) {
    this.#identity = identity;
    this.#chain = chainOf(identity);
    this.#partBytes = partBytes;
    this.#every = commitEvery;
    this.#writer = writer;
    this.#checkpoint = this.#committed = from;
  }

  /** A part has been written; with the last one of a source, the source. */
  async partDone({ source, part }: PlannedPart, last: boolean): Promise<void> {
    const { written } = this.#writer;
    const next = last ? { source: source + 1, part: 0 } : { source, part: part.index + 1 };
    const beforeSource = last ? written : this.#checkpoint.beforeSource;
    this.#checkpoint = { next, written, beforeSource };
    if (performance.now() - this.#committedAt >= this.#every) await this.commit();
  }

  /** @throws GlmError GLM_IO */
  async commit(): Promise<void> {
    if (this.#committed === this.#checkpoint) return;
    const { next } = this.#checkpoint;
    await this.#writer.commit({
      ...this.#checkpoint,
      partBytes: this.#partBytes,
      chain: this.#chain[next.source]!,
      begun: next.part === 0 ? undefined : this.#identity.sources[next.source],
    });
    this.#committed = this.#checkpoint;
    this.#committedAt = performance.now();
  }
}
