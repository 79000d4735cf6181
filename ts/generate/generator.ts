import { randomInt } from 'node:crypto';

import { GlmError } from '../errors.js';
import { positionRows } from '../model/config.js';
import type { Network } from '../model/transformer.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { Engine } from './engine.js';
import { type FillResult, makeResult } from './fill.js';
import { type Decoding, type FillOptions, invalid, resolveDecoding } from './options.js';
import { type Prompt, type PromptInput, readPrompt } from './prompt.js';
import { Scheduler, type Task } from './scheduler.js';
import { Sequence } from './sequence.js';

const usualMaxTokens = 256;

/** Fills blanks with a model. Calls that run at the same time are computed together. */
export class Generator {
  readonly #network: Network;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #scheduler: Scheduler;
  #disposed: GlmError | undefined;

  constructor(network: Network, tokenizer: Tokenizer | undefined) {
    this.#network = network;
    this.#tokenizer = tokenizer;
    this.#scheduler = new Scheduler(new Engine(network, tokenizer?.vocabSize ?? network.config.vocab_size));
  }

  /** Fills the blanks of a text, or of each of several. */
  fill(input: PromptInput, options?: FillOptions): Promise<FillResult>;
  fill(input: readonly PromptInput[], options?: FillOptions): Promise<FillResult[]>;
  async fill(
    input: PromptInput | readonly PromptInput[],
    options: FillOptions = {},
  ): Promise<FillResult | FillResult[]> {
    this.#check();
    const decoding = this.#decoding('fill', options);
    if (decoding.onAbort === 'throw') decoding.signal?.throwIfAborted();
    const many = Array.isArray(input);
    const inputs = (many ? input : [input]) as readonly PromptInput[];
    const sequences = await Promise.all(inputs.map((one) => this.#sequence(one, decoding)));
    await this.#decode(sequences, decoding);
    const results = await Promise.all(
      sequences.map(({ prompt, filled }) => makeResult(prompt, decoding, filled, this.#tokenizer)),
    );
    return many ? results : results[0]!;
  }

  /** Ends everything that is under way with `GLM_DISPOSED`. */
  dispose(): void {
    if (this.#disposed !== undefined) return;
    const message = 'expected a live model, found one that was disposed; load or create it again';
    this.#disposed = new GlmError('GLM_DISPOSED', message);
    this.#scheduler.fail(this.#disposed);
  }

  #check(): void {
    if (this.#disposed !== undefined) throw this.#disposed;
  }

  #decoding(where: string, options: FillOptions): Decoding {
    return resolveDecoding(where, options, {
      vocabulary: this.#network.config.vocab_size,
      tokenizer: this.#tokenizer,
    });
  }

  async #sequence(input: PromptInput, decoding: Decoding): Promise<Sequence> {
    if (typeof input !== 'string' && !(input instanceof Int32Array)) {
      throw invalid(
        `expected a text or an Int32Array of token ids, found ${input === null ? 'null' : typeof input}`,
      );
    }
    const prompt = await readPrompt(input, this.#network.config, decoding.special, this.#tokenizer);
    const seed = decoding.seed ?? randomInt(2 ** 48 - 1);
    return new Sequence(prompt, decoding, this.#maxTokens(prompt, decoding), seed, this.#tokenizer);
  }

  /** Tokens that a blank may get. Block positions are 1 for start-of-piece, then 2, 3, … for the tokens that are fed. */
  #maxTokens({ blanks }: Prompt, { maxTokens, minTokens }: Decoding): number {
    const { config } = this.#network;
    // The last token is fed only where another blank follows, which has to see it.
    const most = config.block_position_encoding
      ? positionRows(config) - (blanks.length > 1 ? 2 : 1)
      : Infinity;
    const wanted = maxTokens ?? Math.max(Math.min(usualMaxTokens, most), minTokens);
    if (wanted <= most) return wanted;
    throw new GlmError(
      'GLM_CONTEXT_LENGTH',
      `expected maxTokens to be at most ${most}, the block positions of the model, found ${wanted}; ask for fewer`,
    );
  }

  /** Computes sequences to their end, or until the signal says stop. */
  async #decode(sequences: readonly Sequence[], { signal, onAbort }: Decoding): Promise<void> {
    this.#check();
    if (sequences.length === 0) return;
    let left = sequences.length;
    let tasks: Task[] = [];
    let abort = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        abort = () => {
          if (onAbort === 'return') resolve();
          else reject(signal!.reason as Error);
        };
        if (signal?.aborted) {
          abort();
          return;
        }
        signal?.addEventListener('abort', abort);
        tasks = sequences.map((sequence) => ({
          sequence,
          advanced: () => {
            if (!sequence.done) return true;
            if (--left === 0) resolve();
            return false;
          },
          failed: reject,
        }));
        for (const task of tasks) this.#scheduler.add(task);
      });
    } finally {
      signal?.removeEventListener('abort', abort);
      for (const task of tasks) this.#scheduler.forget(task);
    }
  }
}
