import { type Batch, concatBatches } from '../../data/batch.js';
import { GlmError } from '../../errors.js';
import type { Network } from '../../model/transformer.js';

export interface ScoringOptions {
  /** Examples that are computed together. */
  batchSize: number;
  signal?: AbortSignal | undefined;
}

/**
 * What a model says to examples, `batchSize` at a time and in their order. While one batch is computed, the next is made and
 * enqueued.
 */
export async function* scoreExamples<T>(
  network: Network,
  examples: Iterable<Batch>,
  score: (network: Network, batch: Batch) => Promise<T>,
  { batchSize, signal }: ScoringOptions,
): AsyncGenerator<{ examples: readonly Batch[]; scores: T }, void, void> {
  let pending: { examples: Batch[]; scores: Promise<T> } | undefined;
  for (const group of groups(examples, batchSize)) {
    signal?.throwIfAborted();
    const scores = score(network, concatBatches(group));
    scores.catch(() => undefined); // the one before it may reject first
    if (pending !== undefined) yield { examples: pending.examples, scores: await pending.scores };
    pending = { examples: group, scores };
  }
  signal?.throwIfAborted();
  if (pending !== undefined) yield { examples: pending.examples, scores: await pending.scores };
}

function* groups(examples: Iterable<Batch>, size: number): Generator<Batch[], void, void> {
  let group: Batch[] = [];
  for (const example of examples) {
    if (group.push(example) < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Throws `GLM_NUMERIC`. */
export function checkFinite(loss: number): void {
  if (Number.isFinite(loss)) return;
  throw new GlmError(
    'GLM_NUMERIC',
    `expected finite losses, found ${loss}; the weights may be damaged, or too large for the type that is computed with`,
  );
}
