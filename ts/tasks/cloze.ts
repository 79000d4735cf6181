/**
 * Understanding as filling a blank (paper, section 2.3): a pattern words a record as a text with one blank, and each answer
 * as words that may stand there. The parts of a pattern are tokenized one by one and cut as the original does
 * (`PVP.encode` of `tasks/superglue/pvp.py`).
 */

import { isDeepStrictEqual } from 'node:util';

import { type Batch, concatBatches } from '../data/batch.js';
import { GlmError } from '../errors.js';
import type { GLM } from '../glm.js';
import { classScores } from '../model/decisions.js';
import type { SpecialTokens } from '../text/special-tokens.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { dataError, type Fields, objectsOf } from './data-files.js';
import { type Classes, PreparedClassifier } from './classifier.js';
import { context, example, roomBeside, withPrompts } from './input.js';
import { shorten } from './shorten.js';
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
} from './task.js';

/** The blank of a pattern. */
export const blank: unique symbol = Symbol('blank');

/** A text that may be cut at its end when the whole is too long. */
export interface Cuttable {
  cuttable: string;
}

export function cuttable(text: string): Cuttable {
  return { cuttable: text };
}

export type Part = string | Cuttable | typeof blank;

/** A record as texts with one blank. */
export interface Question {
  /** A list of parts, or where every answer has a text of its own, one list for each. */
  parts: readonly Part[] | readonly (readonly Part[])[];
  /** Where the second of two texts begins: the longer one is cut first. */
  second?: number;
  /** What may stand in the blank, in the order of the labels. */
  answers: readonly string[];
}

export interface ClozeRecord extends TaskRecord {
  /** Place of the right answer; left out in test data, of which predictions are written but nothing is scored. */
  label?: number | undefined;
  /** Places of answers that are right as well: they are not learned from. */
  alsoRight?: readonly number[] | undefined;
}

export interface ClozeTask<Record extends ClozeRecord> {
  name: string;
  description: string;
  settings?: Partial<TaskSettings>;
  /** Tokens of a text with its answer. Default 256. */
  maxLength?: number;
  /** The records of a line. Throws `GLM_DATA`. */
  read(line: Fields): Iterable<Record>;
  /** Ways to word a record; the first is the default. */
  patterns: readonly ((record: Record) => Question)[];
  /** For learning a classifier instead; left out where the answers are not one of a few labels. */
  classifier?: Classes<Record>;
  /** Whether answers are texts of any length that differ between records, rather than one word for each label. */
  freeAnswers?: boolean;
  /** The right answer is learned to be written too, not only to be chosen (the original's `--loss-func mix`). */
  generative?: boolean;
  /** What is made of all records of a file. */
  gather?(records: readonly Record[]): Record[];
  /** Whether there is something to learn from a record. Default: all have. */
  learns?(record: Record): boolean;
  score(records: readonly Record[], predictions: readonly Prediction[]): Scores;
  bestBy?: string;
  predictionLines(records: readonly Record[], predictions: readonly Prediction[]): string[];
}

export interface ClozeOptions extends PrepareOptions {
  /** Learns a classifier on [CLS] rather than to fill a blank. Default false. */
  classifier?: boolean | undefined;
  /** Words of labels may be of several tokens. Default false: each has to be one token. */
  multiToken?: boolean | undefined;
}

/** Settings of the SuperGLUE tasks (`config_tasks` of the original). */
const settings: TaskSettings = {
  epochs: 20,
  batchSize: 16,
  evaluationBatchSize: 32,
  optimizer: { learningRate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
  warmup: 0.1,
  schedule: { style: 'linear', ratio: 0.1 },
  labelSmoothing: 0,
};

/** A task that is fine-tuned by filling blanks, or by learning a classifier. */
export function clozeTask<Record extends ClozeRecord>(task: ClozeTask<Record>): Task<Record> {
  const { classifier } = task;
  return {
    name: task.name,
    description: task.description,
    settings: { ...settings, ...task.settings },
    bestBy: task.bestBy ?? 'accuracy',
    adapt: (config, options) =>
      configurationFor(config, options, options['classifier'] === true ? classifier?.labels : 0),
    learns: (record) => task.learns?.(record) ?? true,
    async *read(file, bad) {
      const gathered: Record[] = [];
      let labelled: boolean | undefined;
      for await (const line of objectsOf(file, bad)) {
        try {
          const records = [...task.read(line)];
          labelled ??= records[0] && records[0].label !== undefined;
          for (const { where, label } of records) checkLabel(where, label, labelled);
          if (task.gather === undefined) yield* records;
          else gathered.push(...records);
        } catch (error) {
          bad(error);
        }
      }
      if (task.gather !== undefined) yield* task.gather(gathered);
    },
    async prepare(options: ClozeOptions) {
      if (classifier === undefined || options.classifier !== true) return prepareCloze(task, options);
      checkTaskOptions(task.name, options, ['classifier', 'maxLength']);
      return new PreparedClassifier(
        { ...task, classifier, score: scoreLabelled(task) },
        options,
        maxLengthOf(task, options),
      );
    },
  };
}

/** Throws `GLM_DATA` unless all records of a file have labels or, in test data, none has. */
function checkLabel(where: string, label: number | undefined, labelled: boolean | undefined): void {
  if ((label !== undefined) === labelled) return;
  throw dataError(where, `${labelled ? 'a' : 'no'} label, as the records before it`, label);
}

/** Where no record has a label there is nothing to be scored by. */
function scoreLabelled<Record extends ClozeRecord>(task: ClozeTask<Record>): ClozeTask<Record>['score'] {
  return (records, predictions) =>
    records.every(({ label }) => label === undefined) ? {} : task.score(records, predictions);
}

/** A task as cloze questions. Throws `GLM_INVALID_ARGUMENT`. */
export function prepareCloze<Record extends ClozeRecord>(
  task: ClozeTask<Record>,
  options: ClozeOptions,
): PreparedClozeTask<Record> {
  const names = ['pattern', 'maxLength', 'multiToken', ...(task.classifier ? ['classifier'] : [])];
  checkTaskOptions(task.name, options, names);
  const { pattern = 0 } = options;
  const word = task.patterns[pattern];
  if (word !== undefined) return new PreparedClozeTask(task, word, options);
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected a pattern of ${task.name} from 0 to ${task.patterns.length - 1}, found ${pattern}`,
  );
}

function maxLengthOf(task: { maxLength?: number }, { maxLength, positions = Infinity }: PrepareOptions) {
  return maxLength ?? Math.min(task.maxLength ?? 256, positions);
}

export class PreparedClozeTask<Record extends ClozeRecord> implements PreparedTask<Record> {
  readonly score: ClozeTask<Record>['score'];
  readonly predictionLines: PreparedTask<Record>['predictionLines'];
  readonly #word: (record: Record) => Question;
  readonly #tokenizer: Tokenizer;
  readonly #prompts: readonly number[];
  /** Without the prompts. */
  readonly #maxLength: number;
  /** Whether answers are scored as whole texts rather than as one of a few words. */
  readonly #asTexts: boolean;
  readonly #generative: boolean;

  constructor(task: ClozeTask<Record>, word: (record: Record) => Question, options: ClozeOptions) {
    this.score = scoreLabelled(task);
    this.predictionLines = (records, predictions) => task.predictionLines(records, predictions);
    this.#word = word;
    this.#tokenizer = options.tokenizer;
    this.#prompts = options.prompts ?? [];
    this.#maxLength = roomBeside(this.#prompts, maxLengthOf(task, options));
    this.#generative = task.generative ?? false;
    this.#asTexts = (task.freeAnswers ?? false) || (options.multiToken ?? false);
  }

  async examples(records: readonly Record[]): Promise<Batch[]> {
    return Promise.all(
      records.map(async (record) => {
        if (record.label === undefined) throw dataError(record.where, 'a label', undefined);
        return this.#encode(record, record.label, record.alsoRight);
      }),
    );
  }

  async predict(model: GLM, records: readonly Record[], signal?: AbortSignal): Promise<Prediction[]> {
    const batches = await Promise.all(records.map((record) => this.#encode(record, record.label ?? 0)));
    return this.#asTexts ? scoreTexts(model, batches, this.#special, signal) : scoreWords(model, batches);
  }

  get #special(): SpecialTokens {
    return this.#tokenizer.special;
  }

  /** The text of a record with its blank. */
  async context(record: Record): Promise<Int32Array> {
    const { ids, contextLengths } = await this.#encode(record, 0);
    return ids.slice(0, contextLengths[0]);
  }

  /** A question as a batch of its own: an example, or one for each answer that is not left out. */
  async #encode(record: Record, label: number, leftOut: readonly number[] = []): Promise<Batch> {
    const { parts, answers, second } = this.#word(record);
    const texts = (Array.isArray(parts[0]) ? parts : answers.map(() => parts)) as (readonly Part[])[];
    if (this.#asTexts) {
      const kept = answers.map((_, i) => i).filter((i) => !leftOut.includes(i));
      const examples = await Promise.all(
        kept.map(async (i) => {
          const target = Int32Array.from([...(await this.#tokenizer.encode(answers[i]!)), this.#special.eop]);
          return this.#example(record, texts[i]!, second, target);
        }),
      );
      const offsets = Int32Array.of(0, examples.length);
      const labels = Int32Array.of(kept.indexOf(label));
      return {
        ...concatBatches(examples),
        decision: { kind: 'choices', offsets, labels, generative: this.#generative },
      };
    }
    const words = await Promise.all(answers.map((answer) => this.#singleToken(record, answer)));
    const whole = await this.#example(record, texts[0]!, second, undefined);
    const decision = { kind: 'words', words: Int32Array.from(words), labels: Int32Array.of(label) } as const;
    return { ...whole, decision };
  }

  /** The one token of a word. */
  async #singleToken({ where }: Record, word: string): Promise<number> {
    const ids = await this.#tokenizer.encode(word);
    if (ids.length === 1) return ids[0]!;
    throw new GlmError(
      'GLM_TOKENIZER',
      `${where}: expected "${word}" to be one token of the model's tokenizer, found ${ids.length}; choose another pattern, or let ` +
        'answers be of several tokens (--multi-token, multiToken)',
    );
  }

  async #example(
    record: Record,
    parts: readonly Part[],
    second: number | undefined,
    target: Int32Array | undefined,
  ): Promise<Batch> {
    const special = this.#special;
    const pieces = await Promise.all(
      parts.map(async (part) => {
        if (part === blank) return { ids: [special.mask], cut: false };
        const [text, cut] = typeof part === 'string' ? [part, false] : [part.cuttable, true];
        return { ids: Array.from(await this.#tokenizer.encode(text)), cut };
      }),
    );
    if (pieces.flatMap(({ ids }) => ids).filter((id) => id === special.mask).length !== 1)
      throw dataError(record.where, 'a text without blanks of its own', '[MASK]');
    // [CLS] and end-of-text, and the answer or start-of-piece.
    const length = pieces.reduce((sum, { ids }) => sum + ids.length, 2 + (target?.length ?? 1));
    if (
      !shorten(
        pieces.slice(0, second),
        second === undefined ? [] : pieces.slice(second),
        length - this.#maxLength,
      )
    )
      throw dataError(
        record.where,
        `a text of at most ${this.#maxLength} tokens`,
        `${length}, not all of which can be cut`,
      );
    const text = context(
      pieces.flatMap((piece) => piece.ids),
      undefined,
      { special },
    );
    return example(withPrompts(text, this.#prompts, special), target, special, [special.mask]);
  }
}

/** Every answer as a text in the blank. */
async function scoreTexts(
  model: GLM,
  batches: readonly Batch[],
  special: SpecialTokens,
  signal?: AbortSignal,
): Promise<Prediction[]> {
  // Answers that have the same text share its computation; most do, unless it was cut to make room for them.
  const inputs: Int32Array[] = [];
  const choices: Int32Array[][] = [];
  for (const { ids, offsets, contextLengths, targets } of batches) {
    contextLengths.forEach((length, i) => {
      const begin = offsets[i]!;
      const input = ids.slice(begin, begin + length);
      const isNew = i === 0 || !isDeepStrictEqual(input, inputs.at(-1));
      if (isNew) inputs.push(input);
      if (isNew) choices.push([]);
      choices.at(-1)!.push(targets!.slice(begin + length, offsets[i + 1]));
    });
  }
  const scores = (await model.score(inputs, choices, { special, signal })).flatMap((own) => Array.from(own));
  let at = 0;
  return batches.map(({ contextLengths }) => {
    const own = scores.slice(at, (at += contextLengths.length));
    return { scores: own, choice: own.indexOf(Math.max(...own)) };
  });
}

/** One of a few words in the blank. */
async function scoreWords(model: GLM, batches: readonly Batch[]): Promise<Prediction[]> {
  const batch = concatBatches(batches);
  const { decision } = batch;
  if (decision?.kind !== 'words') return [];
  const scores = await classScores(model.network, batch, decision);
  return scores.map((own) => ({ scores: Array.from(own), choice: own.indexOf(Math.max(...own)) }));
}
