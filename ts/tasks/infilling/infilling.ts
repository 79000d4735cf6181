/**
 * Text infilling (paper, section 3.2): a share of a text's words is taken away and written again, blank after blank, each
 * with all before it in view (`blank` of the original's `tasks/seq2seq`). BLEU of the whole texts.
 */

import path from 'node:path';

import type { Batch } from '../../data/batch.js';
import { GlmError } from '../../errors.js';
import type { GLM } from '../../glm.js';
import { bleu } from '../../metrics/bleu.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { dataError, linesOf } from '../data-files.js';
import { exampleOfBlanks, roomBeside, withPrompts } from '../input.js';
import {
  checkTaskOptions,
  configurationFor,
  type Draw,
  type Prediction,
  type PreparedTask,
  type PrepareOptions,
  type Scores,
  type Task,
  type TaskRecord,
} from '../task.js';
import { joinWordPieces } from './join-words.js';
import { maskWords } from './mask-words.js';

interface InfillingRecord extends TaskRecord {
  /** Its place in the file. */
  place: number;
  text: string;
  /** The text with [MASK] for blanks, where the data set says which. */
  masked?: string;
}

export interface InfillingOptions extends PrepareOptions {
  /** Share of the words that is taken away. Default 0.1; the paper has 0.1 to 0.5. */
  maskRatio?: number | undefined;
  /** Tokens of what is written into one blank. Default 64. */
  maxTargetLength?: number | undefined;
  /** Default 3. */
  noRepeatNgram?: number | undefined;
  /** Scores texts as words of the data set, as the original does, rather than as the tokenizer writes them. Default false. */
  postProcess?: boolean | undefined;
}

const optionNames = ['maskRatio', 'maxLength', 'maxTargetLength', 'noRepeatNgram', 'postProcess'];

export const infilling: Task<InfillingRecord> = {
  name: 'infilling',
  description: 'text infilling: a text a line, 10 % to 50 % of whose words are taken away (--mask-ratio)',
  settings: {
    epochs: 5,
    batchSize: 16,
    evaluationBatchSize: 16,
    optimizer: { learningRate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
    warmup: 0.06,
    schedule: { style: 'linear', ratio: 0.1 },
    labelSmoothing: 0.1,
  },
  bestBy: 'bleu',
  adapt: (config, options) => configurationFor(config, options),
  read: (file, bad) => (file.endsWith('.blank') ? readMasked(file, bad) : readTexts(file, bad)),
  prepare(options: InfillingOptions) {
    checkTaskOptions('infilling', options, optionNames);
    const { maskRatio = 0.1 } = options;
    if (!(maskRatio > 0 && maskRatio < 1))
      throw new GlmError('GLM_INVALID_ARGUMENT', `expected a maskRatio between 0 and 1, found ${maskRatio}`);
    return Promise.resolve(new PreparedInfilling(options, maskRatio));
  },
};

class PreparedInfilling implements PreparedTask<InfillingRecord> {
  readonly #tokenizer: Tokenizer;
  readonly #maskRatio: number;
  readonly #prompts: readonly number[];
  /** Without the prompts. */
  readonly #maxLength: number;
  readonly #maxTargetLength: number;
  readonly #noRepeatNgram: number;
  readonly #postProcess: boolean;

  constructor(options: InfillingOptions, maskRatio: number) {
    this.#tokenizer = options.tokenizer;
    this.#maskRatio = maskRatio;
    this.#prompts = options.prompts ?? [];
    const { maxLength = Math.min(256, options.positions ?? Infinity) } = options;
    this.#maxLength = roomBeside(this.#prompts, maxLength);
    this.#maxTargetLength = options.maxTargetLength ?? 64;
    this.#noRepeatNgram = options.noRepeatNgram ?? 3;
    this.#postProcess = options.postProcess ?? false;
  }

  /** Other words are taken away in each epoch. */
  async examples(records: readonly InfillingRecord[], draw: Draw): Promise<Batch[]> {
    const { special } = this.#tokenizer;
    return Promise.all(
      records.map(async (record) => {
        const { masked, targets } = maskWords(record.text, this.#maskRatio, draw, record.place);
        const ids = await this.#context(record, masked, targets.length);
        const places = blankPlaces(ids, special.mask);
        const blanks = places.map(async (place, i) => ({
          place,
          target: Int32Array.of(...(await this.#tokenizer.encode(` ${targets[i]!}`)), special.eop),
        }));
        return exampleOfBlanks(ids, await Promise.all(blanks), special);
      }),
    );
  }

  async predict(
    model: GLM,
    records: readonly InfillingRecord[],
    signal?: AbortSignal,
  ): Promise<Prediction[]> {
    const { special } = this.#tokenizer;
    const contexts = await Promise.all(
      records.map((record) => this.#context(record, record.masked ?? this.#masked(record))),
    );
    const filled = await model.fill(contexts, {
      maxTokens: this.#maxTargetLength,
      noRepeatNgram: this.#noRepeatNgram,
      special,
      signal,
    });
    return Promise.all(
      filled.map(async ({ blanks }, i) => {
        const ids: number[] = [];
        let from = this.#prompts.length;
        for (const blank of blanks) {
          ids.push(...contexts[i]!.subarray(from, blank.index), ...blank.ids);
          from = blank.index + 1;
        }
        return { text: await this.#tokenizer.decode([...ids, ...contexts[i]!.subarray(from)]) };
      }),
    );
  }

  async score(records: readonly InfillingRecord[], predictions: readonly Prediction[]): Promise<Scores> {
    const seen = (text: string) =>
      this.#tokenizer.encode(` ${text}`).then((ids) => this.#tokenizer.decode(ids));
    const candidates = predictions.map(({ text }) => (this.#postProcess ? joinWordPieces(text!) : text!));
    const references = await Promise.all(
      records.map(async ({ text }) => [this.#postProcess ? text : await seen(text)]),
    );
    return { bleu: bleu(candidates, references, { tokenize: 'none', smoothing: 'none' }).score };
  }

  predictionLines(_: readonly InfillingRecord[], predictions: readonly Prediction[]): string[] {
    return predictions.map(({ text }) => text!.trim().replaceAll('\n', ' '));
  }

  /** The same blanks in every evaluation. */
  #masked({ text, place }: InfillingRecord): string {
    return maskWords(text, this.#maskRatio, { seed: 0, epoch: 0 }, place).masked;
  }

  /** The text alone behind the prompts, cut at its end: without [CLS] and end-of-text. */
  async #context({ where }: InfillingRecord, masked: string, blanks?: number): Promise<Int32Array> {
    const { special } = this.#tokenizer;
    const all = await this.#tokenizer.encode(` ${masked}`);
    const found = blankPlaces(all, special.mask).length;
    if (blanks !== undefined && found !== blanks)
      throw dataError(where, 'a text without blanks of its own', '[MASK]');
    const ids = all.slice(0, this.#maxLength);
    if (blankPlaces(ids, special.mask).length === 0)
      throw dataError(where, `a blank within the first ${this.#maxLength} tokens`, 'none');
    return withPrompts(ids, this.#prompts, special);
  }
}

function blankPlaces(ids: Int32Array, mask: number): number[] {
  return Array.from(ids.keys()).filter((i) => ids[i] === mask);
}

const asModelsSeeIt = (text: string) =>
  text.trim().replaceAll('_UNK', '[UNK]').replaceAll('<blank>', '[MASK]');

async function* readTexts(
  file: string,
  bad: (error: unknown) => void,
): AsyncGenerator<InfillingRecord, void, void> {
  let place = 0;
  for await (const { where, text } of linesOf(file)) {
    if (text.trim() === '') bad(dataError(where, 'a text', text));
    else yield { where, place: place++, text: asModelsSeeIt(text) };
  }
}

/** `blank/<split>.maskratio0.1.blank`, with `<blank>` for what was taken away, beside `<split>.txt`. */
async function* readMasked(
  file: string,
  bad: (error: unknown) => void,
): AsyncGenerator<InfillingRecord, void, void> {
  const split = path.basename(file).replace(/(\.maskratio[\d.]*)?\.blank$/, '');
  const texts = linesOf(path.join(path.dirname(file), '..', `${split}.txt`));
  let place = 0;
  for await (const { where, text: masked } of linesOf(file)) {
    const { value: whole } = await texts.next();
    if (whole === undefined) throw dataError(where, `a line for it in ${split}.txt`, undefined);
    if (!masked.includes('<blank>')) bad(dataError(where, 'a text with a <blank>', masked));
    else yield { where, place: place++, text: asModelsSeeIt(whole.text), masked: asModelsSeeIt(masked) };
  }
}
