import { type Batch, type ObjectiveName, objectiveNames, sliceBatch } from '../data/batch.js';
import { rowsWithLoss } from '../model/feed.js';
import type { Tokenizer } from '../text/tokenizer.js';

/** An example as the model sees it. */
export interface DescribedExample {
  /** Where the batches say which made it. */
  objective?: ObjectiveName | undefined;
  /** Tokens of Part A: all of the example see them. */
  contextLength: number;
  tokens: DescribedToken[];
}

export interface DescribedToken {
  id: number;
  /** The vocabulary's spelling; without a tokenizer the id. */
  piece: string;
  position: number;
  blockPosition: number;
  /** What it should predict, where there is a loss. */
  target?: string | undefined;
}

/** The shortest example of each objective that has a loss: it is there to be looked at. */
export function describeExamples(
  batches: readonly Batch[],
  tokenizer: Tokenizer | undefined,
): DescribedExample[] {
  const shortest = new Map<number, Batch>();
  for (const batch of batches) {
    const withLoss = new Set(examplesOf(batch, rowsWithLoss(batch).rows));
    for (const example of withLoss) {
      const objective = batch.objectives?.[example] ?? -1;
      const length = (batch.offsets[example + 1] as number) - (batch.offsets[example] as number);
      if (length < (shortest.get(objective)?.ids.length ?? Infinity))
        shortest.set(objective, sliceBatch(batch, example, example + 1));
    }
  }
  return [...shortest]
    .sort(([a], [b]) => a - b)
    .map(([objective, batch]) => describe(objectiveNames[objective], batch, tokenizer));
}

/** The example of each of these rows, which ascend. */
function examplesOf({ offsets }: Batch, rows: Int32Array): number[] {
  let example = 0;
  return Array.from(rows, (row) => {
    while (row >= (offsets[example + 1] as number)) example++;
    return example;
  });
}

function describe(
  objective: ObjectiveName | undefined,
  batch: Batch,
  tokenizer: Tokenizer | undefined,
): DescribedExample {
  const spelling = (id: number) =>
    tokenizer !== undefined && id < tokenizer.vocabSize ? tokenizer.token(id) : String(id);
  return {
    ...(objective && { objective }),
    contextLength: batch.contextLengths[0] as number,
    tokens: Array.from(batch.ids, (id, i) => ({
      id,
      piece: spelling(id),
      position: batch.positions[i] as number,
      blockPosition: batch.blockPositions[i] as number,
      ...(batch.lossMask?.[i] === 1 && batch.targets && { target: spelling(batch.targets[i] as number) }),
    })),
  };
}
