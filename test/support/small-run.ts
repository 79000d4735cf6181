/** A run of a few seconds with everything that has a state: dropout, accumulation, warm-up, data by step. */

import * as assert from 'uvu/assert';

import type { Batch } from '../../ts/data/batch.js';
import { BlankInfilling } from '../../ts/data/blank-infilling.js';
import { GLM } from '../../ts/glm.js';
import { Trainer } from '../../ts/train/trainer.js';
import type { TrainerOptions } from '../../ts/train/options.js';

export const config = {
  num_layers: 2,
  hidden_size: 32,
  num_attention_heads: 2,
  vocab_size: 128,
  max_sequence_length: 64,
};

const special = { pad: 0, cls: 1, eos: 2, mask: 3, sop: 4, eop: 5, unk: 6, sep: 7 };
const objective = new BlankInfilling({ special, maxLength: 48, mix: { blank: 1 } });

/** Two micro-batches of four examples for a step. */
export function data(step: number): Promise<Batch[]> {
  return Promise.all(
    [0, 1].map((part) => {
      const index = (2 * step + part) * 4;
      const rows = Array.from({ length: 4 }, (_, r) =>
        Int32Array.from({ length: 40 }, (_, i) => 10 + (((index + r) * 31 + i * i * 7 + i) % 100)),
      );
      return objective.batch(rows, { seed: 3, index });
    }),
  );
}

export function runOptions(checkpointDir: string | undefined, steps: number): TrainerOptions {
  return {
    data,
    steps,
    dropout: 0.1,
    optimizer: { learningRate: 1e-3 },
    schedule: { style: 'linear', warmup: 3, decay: 20 },
    checkpointDir,
    checkpointEvery: 2,
    keep: 2,
    seed: 5,
  };
}

export function newModel(): Promise<GLM> {
  return GLM.create(config, { device: 'cpu', threads: 2, seed: 9 });
}

/** Losses by step, as the run's events have them. */
export async function lossesOf(trainer: Trainer): Promise<Map<number, number>> {
  const losses = new Map<number, number>();
  for await (const event of trainer.run()) if (event.type === 'step') losses.set(event.step, event.loss);
  return losses;
}

export async function weightsOf(model: GLM): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const name of model.parameters().keys()) weights.set(name, await model.readParameter(name));
  return weights;
}

/** Six steps at once give the same weights, to the bit, as four that are gone on from in `folder`. */
export async function checkResume(
  folder: string,
  load: () => Promise<GLM>,
  more: Partial<TrainerOptions>,
): Promise<void> {
  const train = async (model: GLM, options: TrainerOptions) => {
    using trainer = new Trainer(model, { ...options, ...more });
    await lossesOf(trainer);
  };
  using whole = await load();
  await train(whole, runOptions(undefined, 6));
  using begun = await load();
  await train(begun, runOptions(folder, 4));
  using resumed = await Trainer.resume(folder, { data: more.data ?? data, steps: 6 });
  using model = resumed.model;
  await lossesOf(resumed);
  const expected = await weightsOf(whole);
  for (const [name, values] of await weightsOf(model)) assert.equal(values, expected.get(name), name);
}
