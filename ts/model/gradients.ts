import type { Batch } from '../data/batch.js';
import { record, scope } from '../tensor/scope.js';
import { feed, rowsWithLoss } from './feed.js';
import { type Network, rowLosses, type Training } from './transformer.js';

/** Σ in float64. */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number;
  return total;
}

/** The losses of a batch's loss tokens, one by one. */
export async function losses(network: Network, batch: Batch): Promise<Float32Array> {
  const wanted = rowsWithLoss(batch);
  if (wanted.rows.length === 0) return new Float32Array(0);
  const input = feed(network, batch, wanted);
  const tensor = rowLosses(network, input);
  input.dispose();
  const values = tensor.read();
  tensor.dispose();
  return (await values) as Float32Array;
}

/**
 * Adds the gradient of gradientScale · Σ losses of a batch to the parameters' gradients, and gives the losses. Everything
 * is enqueued before this returns; only the losses are waited for.
 */
export function accumulateGradients(
  network: Network,
  batch: Batch,
  options: { gradientScale: number; smoothing?: number; training?: Training },
): Promise<Float32Array> {
  const wanted = rowsWithLoss(batch);
  if (wanted.rows.length === 0) return Promise.resolve(new Float32Array(0));
  const { device } = network;
  const input = feed(network, batch, wanted);
  let values: Promise<unknown> = Promise.resolve();
  scope(device, () =>
    record(device, () => {
      const tensor = rowLosses(network, input, options);
      device.backward(tensor);
      values = tensor.read();
      return undefined;
    }),
  );
  input.dispose();
  return values as Promise<Float32Array>;
}
