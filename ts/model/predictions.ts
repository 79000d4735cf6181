import type { Batch } from '../data/batch.js';
import { scope } from '../tensor/scope.js';
import { feed, rowsWithLoss } from './feed.js';
import { hiddenStates, type Network } from './transformer.js';

/** What a model says to the loss tokens of a batch, one after the other. */
export interface Predictions {
  /** Of the targets. */
  losses: Float32Array;
  /** Ids of the likeliest tokens; -1 where a logit is not finite. */
  likeliest: Int32Array;
}

/** Enqueues everything before it returns, so that the next batch may be made while this one is computed. */
export async function predictTokens(network: Network, batch: Batch): Promise<Predictions> {
  const { device, config, parameters } = network;
  const wanted = rowsWithLoss(batch);
  const rows = wanted.rows.length;
  if (rows === 0) return { losses: new Float32Array(0), likeliest: new Int32Array(0) };
  const words = parameters.get('word_embeddings.weight');
  const input = feed(network, batch, wanted);
  const hidden = scope(device, () => device.gatherRows(input, hiddenStates(network, input)));
  const losses = scope(device, () => device.crossEntropy(input, hidden, words));
  const logits = scope(device, () => device.linear(device.cast(hidden, 'float32'), words, null));
  const chosen = device.chooseTokens(logits, {
    limit: config.vocab_size,
    counts: new Int32Array(rows).fill(1),
    temperatures: new Float32Array(rows),
    topK: new Int32Array(rows),
    topP: new Float32Array(rows).fill(1),
    seeds: new Int32Array(2 * rows),
    draws: new Int32Array(2 * rows),
    forbiddenOffsets: new Int32Array(rows + 1),
    forbidden: new Int32Array(0),
  });
  const values = losses.read();
  for (const used of [input, hidden, losses, logits]) used.dispose();
  const [{ ids }, read] = await Promise.all([chosen, values]);
  return { losses: read as Float32Array, likeliest: ids };
}
