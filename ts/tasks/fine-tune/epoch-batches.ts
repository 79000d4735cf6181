/** What the steps of a fine-tune learn from: every epoch takes the records in an order of its own. */

import { type Batch, concatBatches } from '../../data/batch.js';
import { purposes } from '../../data/corpus/draws.js';
import { Permutation } from '../../data/corpus/permutation.js';
import type { BadRecords } from '../bad-records.js';
import type { Draw, PreparedTask, TaskRecord } from '../task.js';

export interface EpochBatchesOptions {
  /** Records of a step. */
  batchSize: number;
  seed: number;
  microBatchTokens: number;
  bad: BadRecords;
}

export class EpochBatches<Record extends TaskRecord> {
  readonly stepsPerEpoch: number;
  readonly #records: readonly Record[];
  readonly #options: EpochBatchesOptions;

  constructor(records: readonly Record[], options: EpochBatchesOptions) {
    this.#records = records;
    this.#options = options;
    this.stepsPerEpoch = Math.ceil(records.length / options.batchSize);
  }

  /** A step's micro-batches; a function of the seed and the step alone. */
  async at(step: number, prepared: PreparedTask<Record>): Promise<Batch[]> {
    const { batchSize, seed, microBatchTokens } = this.#options;
    const all = this.#records;
    const epoch = Math.floor(step / this.stepsPerEpoch);
    const order = new Permutation(all.length, seed, epoch, purposes.order);
    const begin = (step % this.stepsPerEpoch) * batchSize;
    const count = Math.min(batchSize, all.length - begin);
    const records = Array.from({ length: count }, (_, i) => all[order.at(begin + i)]!);
    const draw: Draw = { seed, epoch };
    let examples = await this.#examples(prepared, records, draw);
    // A step whose records are all bad takes another record, so that it has something to learn.
    for (let i = 0; examples.length === 0 && i < all.length; i++)
      examples = await this.#examples(prepared, [all[i]!], draw);
    if (examples.length === 0) throw this.#options.bad.nothingLeft('records to learn from');
    return microBatches(examples, microBatchTokens);
  }

  /** The examples of records; a record that has none is left out if that is allowed. */
  async #examples(prepared: PreparedTask<Record>, records: readonly Record[], draw: Draw): Promise<Batch[]> {
    try {
      return await prepared.examples(records, draw);
    } catch (error) {
      if (records.length === 1) {
        this.#options.bad.add(error);
        return [];
      }
      const each: Batch[] = [];
      for (const record of records) each.push(...(await this.#examples(prepared, [record], draw)));
      return each;
    }
  }
}

/** Packs examples, in order, into batches of at most so many tokens; a longer example is a batch of its own. */
function microBatches(examples: readonly Batch[], mostTokens: number): Batch[] {
  const batches: Batch[][] = [];
  let tokens = Infinity;
  for (const example of examples) {
    if (tokens + example.ids.length > mostTokens) {
      batches.push([]);
      tokens = 0;
    }
    batches.at(-1)!.push(example);
    tokens += example.ids.length;
  }
  return batches.map(concatBatches);
}
