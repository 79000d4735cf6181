import { type Batch, type ObjectiveName, objectiveNames } from '../data/batch.js';
import type { BlankInfilling } from '../data/blank-infilling.js';
import { Corpus } from '../data/corpus.js';
import { GlmError } from '../errors.js';
import { rowsWithLoss } from '../model/feed.js';
import { losses } from '../model/gradients.js';
import type { Network } from '../model/transformer.js';
import { untilAborted } from './abort.js';
import type { LossOfTokens } from './events.js';
import type { TrainerSettings, ValidationData } from './options.js';

/** The mean loss over validation batches: of all loss tokens, and of each objective's. */
export async function evaluateLoss(
  network: Network,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  signal?: AbortSignal,
): Promise<LossOfTokens & { objectives: Partial<Record<ObjectiveName, LossOfTokens>> }> {
  const all = new Mean();
  const objectives = new Map<ObjectiveName, Mean>();
  let seen = 0;
  for await (const batch of untilAborted(batches, signal)) {
    const values = await losses(network, batch);
    seen++;
    const rows = rowsWithLoss(batch).rows;
    let example = 0;
    for (const [i, row] of rows.entries()) {
      while (row >= (batch.offsets[example + 1] as number)) example++;
      all.add(values[i] as number);
      const objective = objectiveNames[batch.objectives?.[example] ?? -1];
      if (objective === undefined) continue;
      if (!objectives.has(objective)) objectives.set(objective, new Mean());
      objectives.get(objective)!.add(values[i] as number);
    }
  }
  if (seen === 0) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      'expected batches of validation data, found none; data that can be read once only has to come from a function, ' +
        'which is called for each evaluation',
    );
  }
  return {
    ...all.result(),
    objectives: Object.fromEntries([...objectives].map(([name, mean]) => [name, mean.result()])),
  };
}

class Mean {
  private total = 0;
  private tokens = 0;

  add(value: number): void {
    this.total += value;
    this.tokens += 1;
  }

  result(): LossOfTokens {
    return { loss: this.tokens === 0 ? 0 : this.total / this.tokens, tokens: this.tokens };
  }
}

/** The batches of validation data; of a corpus always the same samples with the same blanks. */
export async function* validationBatches(
  data: ValidationData,
  objective: BlankInfilling | undefined,
  { batchSize, evaluationSamples, seed }: TrainerSettings,
): AsyncGenerator<Batch, void, void> {
  if (!(data instanceof Corpus)) {
    yield* typeof data === 'function' ? await data() : data;
    return;
  }
  if (objective === undefined) {
    throw new GlmError('GLM_INVALID_ARGUMENT', 'expected an objective with a validation corpus, found none');
  }
  for (let index = 0; index < evaluationSamples; index += batchSize) {
    const count = Math.min(batchSize, evaluationSamples - index);
    const rows = await data.rows(index, count, { maxLength: objective.maxLength, seed });
    yield await objective.batch(rows, { seed, index });
  }
}
