/**
 * Writing a text that follows from another, as one long blank (paper, section 2.3 and 3.2; `tasks/seq2seq` of the original):
 * a record becomes a context with one blank, its target is learned with label smoothing, and written with beam search.
 */

import type { Batch } from '../../data/batch.js';
import type { GLM } from '../../glm.js';
import type { SpecialTokens } from '../../text/special-tokens.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { dataError } from '../data-files.js';
import { example, roomBeside, withPrompts } from '../input.js';
import {
  checkTaskOptions,
  configurationFor,
  type Prediction,
  type PreparedTask,
  type PrepareOptions,
  type Scores,
  type Task,
  type TaskRecord,
  type TaskSettings,
} from '../task.js';

/** How texts are written. */
export interface Writing {
  beams: number;
  /** A hypothesis has the score log-probability / (its tokens ** lengthPenalty). */
  lengthPenalty: number;
  /** Before these many tokens a text does not end. */
  minTargetLength: number;
  /** No n-gram of this length comes twice; 0: none is forbidden. */
  noRepeatNgram: number;
}

export interface Seq2SeqTask<Record extends TaskRecord> {
  name: string;
  description: string;
  settings: Partial<TaskSettings> & { learningRate: number };
  writing: Writing;
  /** Tokens of the context, and of the target with its end-of-piece: the original's `src-seq-length` and `tgt-seq-length`. */
  lengths: { source: number; target: number };
  read(file: string, bad: (error: unknown) => void): AsyncIterable<Record>;
  /** The ids of a record with its blank, at most `maxLength`. */
  context(record: Record, maxLength: number, tools: Tools): Promise<ArrayLike<number>>;
  /** What is to be written. */
  target(record: Record, tools: Tools): string;
  score(records: readonly Record[], predictions: readonly string[], tools: Tools): Promise<Scores>;
  bestBy: string;
}

/** What wording a record and scoring texts need. */
export interface Tools {
  tokenizer: Tokenizer;
  special: SpecialTokens;
  /** The blank's token: [sMASK] where the vocabulary has it, else [MASK]. */
  blank: number;
  /** What stands between the sentences of a target. */
  separator: string;
  postProcess: boolean;
}

export interface Seq2SeqOptions extends PrepareOptions, Partial<Writing> {
  /** Tokens of the target, end-of-piece included. */
  maxTargetLength?: number | undefined;
  /**
   * Fills contexts up to `maxLength` with padding that is attended, as the original does, so that its numbers can be repeated.
   * Default false.
   */
  attendPadding?: boolean | undefined;
  /** Joins tokens, and drops short and repeated sentences before scoring, as the original does. Default false. */
  postProcess?: boolean | undefined;
}

const optionNames = [
  'maxLength',
  'maxTargetLength',
  'attendPadding',
  'postProcess',
  'beams',
  'lengthPenalty',
  'minTargetLength',
  'noRepeatNgram',
];

/** A task that is fine-tuned by writing texts. */
export function seq2SeqTask<Record extends TaskRecord>(task: Seq2SeqTask<Record>): Task<Record> {
  const { learningRate, ...settings } = task.settings;
  return {
    name: task.name,
    description: task.description,
    settings: {
      epochs: 10,
      batchSize: 8,
      evaluationBatchSize: 8,
      optimizer: { learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
      warmup: 0.06,
      schedule: { style: 'linear', ratio: 0.1 },
      labelSmoothing: 0.1,
      ...settings,
    },
    bestBy: task.bestBy,
    adapt: (config, options) => configurationFor(config, options),
    read: (file, bad) => task.read(file, bad),
    prepare(options: Seq2SeqOptions) {
      checkTaskOptions(task.name, options, optionNames);
      return Promise.resolve(new PreparedSeq2Seq(task, options));
    },
  };
}

class PreparedSeq2Seq<Record extends TaskRecord> implements PreparedTask<Record> {
  readonly #task: Seq2SeqTask<Record>;
  readonly #tools: Tools;
  readonly #writing: Writing;
  readonly #prompts: readonly number[];
  /** Without the prompts. */
  readonly #maxLength: number;
  readonly #maxTargetLength: number;
  readonly #attendPadding: boolean;

  constructor(task: Seq2SeqTask<Record>, options: Seq2SeqOptions) {
    const { tokenizer, positions = Infinity } = options;
    const { special } = tokenizer;
    this.#task = task;
    this.#tools = {
      tokenizer,
      special,
      blank: special.smask ?? special.mask,
      separator: tokenizer.token(special.sep),
      postProcess: options.postProcess ?? false,
    };
    const { beams, lengthPenalty, minTargetLength, noRepeatNgram } = task.writing;
    this.#writing = {
      beams: options.beams ?? beams,
      lengthPenalty: options.lengthPenalty ?? lengthPenalty,
      minTargetLength: options.minTargetLength ?? minTargetLength,
      noRepeatNgram: options.noRepeatNgram ?? noRepeatNgram,
    };
    this.#prompts = options.prompts ?? [];
    this.#maxLength = roomBeside(
      this.#prompts,
      options.maxLength ?? Math.min(task.lengths.source, positions),
    );
    this.#maxTargetLength = options.maxTargetLength ?? Math.min(task.lengths.target, positions);
    this.#attendPadding = options.attendPadding ?? false;
  }

  examples(records: readonly Record[]): Promise<Batch[]> {
    const { tokenizer, special, blank } = this.#tools;
    return Promise.all(
      records.map(async (record) => {
        const text = await tokenizer.encode(` ${this.#task.target(record, this.#tools)}`);
        const target = Int32Array.of(...text.subarray(0, this.#maxTargetLength), special.eop);
        const context = await this.#context(record);
        return example(context, target.subarray(0, this.#maxTargetLength), special, [blank]);
      }),
    );
  }

  async predict(model: GLM, records: readonly Record[], signal?: AbortSignal): Promise<Prediction[]> {
    const contexts = await Promise.all(records.map((record) => this.#context(record)));
    const { minTargetLength, ...decoding } = this.#writing;
    const { special } = this.#tools;
    const filled = await model.fill(contexts, {
      ...decoding,
      minTokens: Math.min(minTargetLength, this.#maxTargetLength),
      maxTokens: this.#maxTargetLength,
      special,
      signal,
    });
    return filled.map(({ blanks }) => ({ text: blanks[0]!.text.trim() }));
  }

  score(records: readonly Record[], predictions: readonly Prediction[]): Promise<Scores> {
    return this.#task.score(
      records,
      predictions.map(({ text }) => text!),
      this.#tools,
    );
  }

  /** One text a line, as the original writes them. */
  predictionLines(_: readonly Record[], predictions: readonly Prediction[]): string[] {
    return predictions.map(({ text }) => text!.replace(/\s*\n\s*/g, ' '));
  }

  async #context(record: Record): Promise<Int32Array> {
    const { blank, special } = this.#tools;
    const ids = Int32Array.from(await this.#task.context(record, this.#maxLength, this.#tools));
    const blanks = ids.filter((id) => id === special.mask || id === special.smask || id === special.gmask);
    if (blanks.length !== 1 || blanks[0] !== blank)
      throw dataError(record.where, 'a text without blanks of its own', '[MASK]');
    const padded = new Int32Array(this.#attendPadding ? this.#maxLength : ids.length).fill(special.pad);
    padded.set(ids);
    return withPrompts(padded, this.#prompts, special);
  }
}
