import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';

import { GlmError } from '../errors.js';
import { positionRows } from '../model/config.js';
import type { Network } from '../model/transformer.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { Engine } from './engine.js';
import { type FillResult, makeResult } from './fill.js';
import { type Decoding, type DecodingLimits, type FillOptions, invalid, resolveDecoding } from './options.js';
import { type Prompt, type PromptInput, readPrompt } from './prompt.js';
import { Scheduler, type Task } from './scheduler.js';
import { type Choices, type ScoreOptions, scoreTexts } from './score.js';
import { Sequence, type SequenceListener } from './sequence.js';
import { ChunkQueue, type StreamChunk } from './stream.js';

const usualMaxTokens = 256;
/** Chunks that a stream computes ahead of its reader. */
const mostUnread = 8;

/** Fills blanks with a model. Calls that run at the same time are computed together. */
export class Generator {
  readonly #network: Network;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #engine: Engine;
  readonly #scheduler: Scheduler;
  #disposed: GlmError | undefined;

  constructor(network: Network, tokenizer: Tokenizer | undefined) {
    this.#network = network;
    this.#tokenizer = tokenizer;
    this.#engine = new Engine(network, tokenizer?.vocabSize ?? network.config.vocab_size);
    this.#scheduler = new Scheduler(this.#engine);
  }

  /** Fills the blanks of a text, or of each of several. */
  fill(input: PromptInput, options?: FillOptions): Promise<FillResult>;
  fill(input: readonly PromptInput[], options?: FillOptions): Promise<FillResult[]>;
  async fill(
    input: PromptInput | readonly PromptInput[],
    options: FillOptions = {},
  ): Promise<FillResult | FillResult[]> {
    this.#check();
    const decoding = resolveDecoding('fill', options, this.#limits);
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

  /** Fills the blanks of a text and gives the tokens as they come, a few ahead of the reader. */
  async *stream(input: PromptInput, options: FillOptions = {}): AsyncGenerator<StreamChunk, void, void> {
    this.#check();
    const decoding = resolveDecoding('stream', options, this.#limits);
    if (decoding.beams > 1) {
      throw invalid(
        `expected no beams in a stream, found ${decoding.beams}; beam search settles nothing early, use fill`,
      );
    }
    const { signal, onAbort } = decoding;
    if (onAbort === 'throw') signal?.throwIfAborted();
    const queue = new ChunkQueue(this.#tokenizer, decoding.stop);
    const abort = () => {
      if (onAbort === 'return') queue.close();
      else queue.fail(signal!.reason);
    };
    const task = streamTask(await this.#sequence(input, decoding, queue), queue);
    if (signal?.aborted) abort();
    listen(signal, abort);
    try {
      for (;;) {
        this.#check();
        // A reader who stays away leaves the scheduler with nothing to hold on to.
        if (queue.length <= mostUnread / 2 && !queue.closed) this.#scheduler.add(task);
        const chunk = await queue.next();
        if (chunk === undefined) return;
        yield chunk;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#scheduler.forget(task);
    }
  }

  /** The log-probability of each choice as the filling of a text's first blank. */
  score(input: PromptInput, choices: Choices, options?: ScoreOptions): Promise<Float32Array>;
  score(
    input: readonly PromptInput[],
    choices: Choices | readonly Choices[],
    options?: ScoreOptions,
  ): Promise<Float32Array[]>;
  async score(
    input: PromptInput | readonly PromptInput[],
    choices: Choices | readonly Choices[],
    options: ScoreOptions = {},
  ): Promise<Float32Array | Float32Array[]> {
    this.#check();
    const scores = await scoreTexts(input, choices, options, {
      network: this.#network,
      tokenizer: this.#tokenizer,
      limits: this.#limits,
      engine: this.#engine,
      check: () => this.#check(),
    });
    return Array.isArray(input) ? scores : scores[0]!;
  }

  /** Ends everything that is under way with `GLM_DISPOSED`. */
  dispose(): void {
    if (this.#disposed !== undefined) return;
    const message = 'expected a live model, found one that was disposed; load or create it again';
    this.#disposed = new GlmError('GLM_DISPOSED', message);
    this.#scheduler.fail(this.#disposed);
  }

  get #limits(): DecodingLimits {
    return { vocabulary: this.#network.config.vocab_size, tokenizer: this.#tokenizer };
  }

  #check(): void {
    if (this.#disposed !== undefined) throw this.#disposed;
  }

  async #sequence(input: PromptInput, decoding: Decoding, listener?: SequenceListener): Promise<Sequence> {
    const tokenizer = this.#tokenizer;
    const prompt = await readPrompt(input, this.#network.config, decoding.special, tokenizer);
    this.#check();
    const maxTokens = this.#maxTokens(prompt, decoding);
    const seed = decoding.seed ?? randomInt(2 ** 48 - 1);
    return new Sequence({ prompt, decoding, maxTokens, seed, tokenizer, listener });
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
        listen(signal, abort);
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

/** Calls `abort` when the signal says so. One signal may be for any number of calls: node need not warn of many. */
function listen(signal: AbortSignal | undefined, abort: () => void): void {
  if (signal === undefined) return;
  setMaxListeners(0, signal);
  signal.addEventListener('abort', abort);
}

function streamTask(sequence: Sequence, queue: ChunkQueue): Task {
  return {
    sequence,
    advanced: () => {
      if (sequence.done) queue.close();
      return !queue.closed && queue.length < mostUnread;
    },
    failed: (error) => queue.fail(error),
  };
}
