/** What a run does with its data: data that never comes, ends early, or makes no number. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { Batch } from '../../ts/data/batch.js';
import { GlmError } from '../../ts/errors.js';
import { GLM } from '../../ts/glm.js';
import type { TrainerEvent } from '../../ts/train/events.js';
import type { TrainerOptions } from '../../ts/train/options.js';
import { Trainer } from '../../ts/train/trainer.js';
import { blankBatch } from '../../bench/support/blank-batch.js';
import { withFolder } from '../support/folder.js';
import { failsWith } from '../support/fails-with.js';
import { config, data, lossesOf, newModel, runOptions, weightsOf } from '../support/small-run.js';

const training = suite('training: data');

async function eventsOf(trainer: Trainer): Promise<TrainerEvent[]> {
  const events: TrainerEvent[] = [];
  for await (const event of trainer.run()) events.push(event);
  return events;
}

training('an abort does not wait for data that never comes', async () => {
  const never = new Promise<Batch[]>(() => undefined);
  async function* stuck() {
    yield* await data(0);
    yield (await never)[0] as Batch;
  }
  const reason = new Error('enough');
  for (const source of [(step: number) => (step === 0 ? data(0) : never), stuck()]) {
    const controller = new AbortController();
    using model = await newModel();
    using trainer = new Trainer(model, {
      ...runOptions(undefined, 3),
      data: source,
      gradientAccumulation: 2,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(reason), 100);
    assert.is(await eventsOf(trainer).catch((error: unknown) => error), reason);
    assert.ok((await model.loss((await data(0))[0]!)).loss > 0, 'the model can be used');
  }
});

training('an abort does not wait for validation data that never comes', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  using model = await newModel();
  using trainer = new Trainer(model, {
    ...runOptions(undefined, 3),
    validation: () => new Promise(() => undefined),
    evaluateEvery: 1,
    signal: controller.signal,
  });
  setTimeout(() => controller.abort(reason), 100);
  assert.is(await eventsOf(trainer).catch((error: unknown) => error), reason);
  assert.ok((await model.loss((await data(0))[0]!)).loss > 0, 'the model can be used');
});

training('data that has ended ends the run', async () => {
  using model = await newModel();
  using trainer = new Trainer(model, {
    ...runOptions(undefined, 9),
    data: [...(await data(0)), ...(await data(1))],
    gradientAccumulation: 2,
  });
  const events = await eventsOf(trainer);
  assert.equal(
    events.map(({ type }) => type),
    ['step', 'step', 'done'],
  );
});

training('validation data that can be read once only is refused the second time', async () => {
  async function* once() {
    yield* await data(7);
  }
  using model = await newModel();
  using trainer = new Trainer(model, { ...runOptions(undefined, 2), validation: once(), evaluateEvery: 1 });
  const error = await eventsOf(trainer).catch((caught: unknown) => caught);
  assert.instance(error, GlmError);
  assert.is((error as GlmError).code, 'GLM_INVALID_ARGUMENT');
  assert.match((error as GlmError).message, /come from a function/);
  trainer.dispose();

  using again = new Trainer(model, {
    ...runOptions(undefined, 2),
    validation: () => data(7),
    evaluateEvery: 1,
  });
  const evaluations = (await eventsOf(again)).filter(({ type }) => type === 'evaluation');
  assert.is(evaluations.length, 2);
});

const plainRun = { ...runOptions(undefined, 3), dropout: 0 };

/** Losses and weights of a run with these options. */
async function run(options: Partial<TrainerOptions>) {
  using model = await newModel();
  using trainer = new Trainer(model, { ...plainRun, ...options });
  const events = await eventsOf(trainer);
  const losses = events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
  return { events, losses, weights: await weightsOf(model) };
}

training('a step that makes no number is skipped and counted, and changes nothing', async () => {
  const wild: Partial<TrainerOptions> = {
    optimizer: { learningRate: 1e30 },
    schedule: { style: 'constant', warmup: 0 },
    clip: 0,
  };
  const { events, weights } = await run({ ...wild, steps: 3 });
  assert.equal(
    events.map(({ type }) => type),
    ['step', 'overflow', 'overflow', 'done'],
  );
  const [, first, second, done] = events;
  assert.is(first?.type === 'overflow' && first.skipped, 1);
  assert.is(second?.type === 'overflow' && second.skipped, 2);
  assert.is(done?.type === 'done' && done.skipped, 2);
  assert.equal(weights, (await run({ ...wild, steps: 1 })).weights);
});

training('checkpointed activations give the same bits', async () => {
  const kept = await run({ dropout: 0.1 });
  const rebuilt = await run({ dropout: 0.1, checkpointActivations: true });
  assert.equal(rebuilt.losses, kept.losses);
  assert.equal(rebuilt.weights, kept.weights);
  assert.not.equal((await run({ dropout: 0.2 })).losses, kept.losses);
});

training('a memory budget is kept with as few checkpointed layers as it takes', async () => {
  const shape = {
    num_layers: 6,
    hidden_size: 128,
    num_attention_heads: 2,
    vocab_size: 512,
    max_sequence_length: 512,
  };
  const batches = [await blankBatch(8, 400, 1), await blankBatch(8, 400, 2)].map((batch) => ({
    ...batch,
    ids: batch.ids.map((id) => id % 512),
    targets: batch.targets!.map((id) => id % 512),
  }));
  const train = async (dtype: 'float32' | 'bfloat16', options: Partial<TrainerOptions>) => {
    using model = await GLM.create(shape, { device: 'cpu', threads: 2, dtype });
    const { device } = model.network;
    using trainer = new Trainer(model, { data: () => batches, steps: 2, dropout: 0.1, ...options });
    device.resetPeak();
    const losses = (await eventsOf(trainer)).flatMap((e) => (e.type === 'step' ? [e.loss] : []));
    return { peak: device.memory().peak, losses };
  };
  for (const dtype of ['float32', 'bfloat16'] as const) {
    const kept = await train(dtype, {});
    const all = await train(dtype, { checkpointActivations: true });
    assert.ok(all.peak < 0.8 * kept.peak, `${all.peak} with, ${kept.peak} without checkpointing`);
    const memoryBudget = Math.ceil((kept.peak + all.peak) / 2);
    const budgeted = await train(dtype, { memoryBudget });
    assert.equal(budgeted.losses, kept.losses);
    assert.ok(budgeted.peak <= memoryBudget, `${budgeted.peak} of ${memoryBudget} bytes`);
    const layer = (kept.peak - all.peak) / 4;
    assert.ok(budgeted.peak > memoryBudget - layer - 12 * 2 ** 20, `${budgeted.peak} of ${memoryBudget}`);
    assert.equal((await train(dtype, { memoryBudget: 2 * kept.peak })).peak, kept.peak);
    const error = await train(dtype, { memoryBudget: 2 ** 20 }).catch((caught: unknown) => caught);
    assert.is((error as GlmError).code, 'GLM_OUT_OF_MEMORY');
    assert.match((error as GlmError).message, /expected a memoryBudget of \d+ MiB or more for/);
  }
  await failsWith('GLM_INVALID_ARGUMENT', /found both/, () =>
    train('float32', { memoryBudget: 1e9, checkpointActivations: true }),
  );
});

training('in bfloat16: float32 masters, saved and resumed to the bit', () =>
  withFolder(async (folder) => {
    const options = runOptions(folder, 6);
    const create = () => GLM.create(config, { device: 'cpu', threads: 2, seed: 9, dtype: 'bfloat16' });
    using whole = await create();
    using uninterrupted = new Trainer(whole, { ...options, checkpointDir: undefined });
    const expected = await lossesOf(uninterrupted);

    using model = await create();
    using trainer = new Trainer(model, options);
    for await (const event of trainer.run()) if (event.type === 'step' && event.step === 2) trainer.stop();
    using resumed = await Trainer.resume(folder, { data });
    using rest = resumed.model;
    assert.equal(
      [...(await lossesOf(resumed))],
      [...expected].filter(([step]) => step > 2),
    );
    assert.equal(await weightsOf(rest), await weightsOf(whole));
    const [, words] = [...(await weightsOf(rest))][0]!;
    assert.ok(
      words.some((value) => (new Uint32Array(Float32Array.of(value).buffer)[0]! & 0xffff) !== 0),
      'the masters have more digits than bfloat16',
    );
  }),
);

training('label smoothing: the loss by its formula, over both micro-batches of a step', async () => {
  using model = await newModel();
  let total = 0;
  let tokens = 0;
  for (const batch of await data(0)) {
    const rows = Array.from(batch.ids.keys()).filter((i) => batch.lossMask![i]);
    const { logits } = await model.forward(batch, { rows: Int32Array.from(rows) });
    for (const [r, row] of rows.entries()) {
      const z = Array.from(logits.subarray(r * config.vocab_size, (r + 1) * config.vocab_size));
      const logSum = Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0));
      const mean = z.reduce((sum, value) => sum + value, 0) / z.length;
      total += logSum - 0.9 * z[batch.targets![row]!]! - 0.1 * mean;
    }
    tokens += rows.length;
  }
  const { losses } = await run({ steps: 1, labelSmoothing: 0.1 });
  assert.ok(Math.abs(losses[0]! - total / tokens) < 1e-5, `${losses[0]} instead of ${total / tokens}`);
});

training.run();
