/** A small model with training work in flight; shared by the programs that end in the middle of it. */

import { GLM } from '../../../ts/glm.js';
import { native } from '../../../ts/native.js';

export const config = {
  num_layers: 4,
  hidden_size: 128,
  num_attention_heads: 2,
  vocab_size: 512,
  max_sequence_length: 256,
};

export function batchOf(examples: number, length: number) {
  const tokens = examples * length;
  const ramp = (modulus: number) => Int32Array.from({ length: tokens }, (_, i) => i % modulus);
  return {
    ids: ramp(512),
    positions: ramp(length),
    blockPositions: new Int32Array(tokens),
    offsets: Int32Array.from({ length: examples + 1 }, (_, b) => b * length),
    contextLengths: new Int32Array(examples).fill(length >> 1),
    targets: ramp(511),
    lossMask: new Uint8Array(tokens).fill(1),
  };
}

/** Starts work that takes some hundred milliseconds and does not wait for it. */
export async function startWork(): Promise<{ model: GLM; work: Promise<unknown> }> {
  const model = await GLM.create(config, { device: 'cpu' });
  const work = Promise.all(Array.from({ length: 8 }, () => model.gradients(batchOf(8, 200))));
  return { model, work };
}

/** Calls the addon and is called by it, without ever returning to the event loop. */
export function callForever(): never {
  const device = new native.NativeDevice({ threads: 1 });
  const { ids, positions, blockPositions, offsets } = batchOf(1, 1);
  const limits = { vocabulary: 512, positions: 1, blockPositions: 1 };
  const arrays = { ids, positions, blockPositions, offsets, rows: new Int32Array(0) };
  const zeros = Int32Array.of(0);
  const step = () => {
    const batch = device.batch({ ...arrays, contextLengths: zeros }, limits);
    const cache = device.keyValueCache({ layers: 1, heads: 1, headWidth: 8, dtype: 'float32' });
    const rows = { slots: zeros, shared: zeros, seenOffsets: Int32Array.of(0, 1), seen: zeros };
    return { batch, cache, cached: device.cacheStep(batch, [cache], rows) };
  };
  const { cached } = step();
  for (;;) {
    device
      .recordStep(cached, () => {
        for (let i = 0; i < 100; i++) {
          device.openScope();
          device.closeScope([], false);
        }
      })
      .dispose();
    const made = step();
    for (const object of [made.cached, made.cache, made.batch]) object.dispose();
  }
}
