/**
 * Understanding as classification, the usual way before cloze questions: a classifier on [CLS] (paper, section 3.2;
 * `GLMForSequenceClassification`). [CLS] one text [SEP] the other, and end-of-text.
 */

import { type Batch, concatBatches } from '../data/batch.js';
import { GlmError } from '../errors.js';
import type { GLM } from '../glm.js';
import { classScores } from '../model/decisions.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { dataError } from './data-files.js';
import { context, roomBeside, withPrompts } from './input.js';
import { type Piece, shorten } from './shorten.js';
import type { Prediction, PreparedTask, PrepareOptions, TaskRecord } from './task.js';

interface LabelledRecord extends TaskRecord {
  label?: number | undefined;
}

export interface ClassifierTask<Record extends LabelledRecord> {
  classifier: Classes<Record>;
  score: PreparedTask<Record>['score'];
  predictionLines: PreparedTask<Record>['predictionLines'];
}

/** What a classifier tells apart. */
export interface Classes<Record> {
  labels: number;
  /** The texts that it reads. */
  texts(record: Record): readonly [string, string];
}

export class PreparedClassifier<Record extends LabelledRecord> implements PreparedTask<Record> {
  readonly score: PreparedTask<Record>['score'];
  readonly predictionLines: PreparedTask<Record>['predictionLines'];
  readonly #classes: Classes<Record>;
  readonly #tokenizer: Tokenizer;
  readonly #prompts: readonly number[];
  /** Without the prompts. */
  readonly #maxLength: number;

  constructor(task: ClassifierTask<Record>, { tokenizer, prompts = [] }: PrepareOptions, maxLength: number) {
    this.score = (records, predictions) => task.score(records, predictions);
    this.predictionLines = (records, predictions) => task.predictionLines(records, predictions);
    this.#classes = task.classifier;
    this.#tokenizer = tokenizer;
    this.#prompts = prompts;
    this.#maxLength = roomBeside(prompts, maxLength);
  }

  examples(records: readonly Record[]): Promise<Batch[]> {
    return Promise.all(
      records.map((record) => {
        if (record.label === undefined) throw dataError(record.where, 'a label', undefined);
        return this.#encode(record, record.label);
      }),
    );
  }

  async predict(model: GLM, records: readonly Record[]): Promise<Prediction[]> {
    const { num_labels } = model.config;
    if (num_labels !== this.#classes.labels) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        `expected a model with a classifier of ${this.#classes.labels} classes, found ${num_labels}; fine-tune it with a classifier`,
      );
    }
    const batch = concatBatches(
      await Promise.all(records.map((record) => this.#encode(record, record.label ?? 0))),
    );
    const { decision } = batch;
    if (decision?.kind !== 'classes') return [];
    const scores = await classScores(model.network, batch, decision);
    return scores.map((own) => ({ scores: Array.from(own), choice: own.indexOf(Math.max(...own)) }));
  }

  async #encode(record: Record, label: number): Promise<Batch> {
    const { special } = this.#tokenizer;
    const texts = await this.#tokenizer.encodeBatch(this.#classes.texts(record));
    const pieces = texts.map((ids): Piece => ({ ids: Array.from(ids), cut: true }));
    const [first, second] = pieces as [Piece, Piece];
    // [CLS], [SEP] and end-of-text.
    shorten([first], [second], first.ids.length + second.ids.length + 3 - this.#maxLength);
    const ids = withPrompts(context(first.ids, second.ids, { special, sep: true }), this.#prompts, special);
    return {
      ids,
      positions: ids.map((_, i) => i),
      blockPositions: new Int32Array(ids.length),
      offsets: Int32Array.of(0, ids.length),
      contextLengths: Int32Array.of(ids.length),
      targets: new Int32Array(ids.length),
      lossMask: new Uint8Array(ids.length).fill(1, 0, 1), // where the answer is read
      decision: { kind: 'classes', labels: Int32Array.of(label) },
    };
  }
}
