/** The original's logits, loss and gradients (golden/model_tiny, model_small), to the tolerances of their README. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { GlmConfigInput } from '../../ts/model/config.js';
import { modelDevices } from '../support/devices.js';
import { findGolden, goldenJson, GoldenTensors } from '../support/golden.js';
import { goldenModel } from '../support/golden-model.js';

/** The sizes of the golden batch stand beside those of the model. */
function goldenConfig(name: string): GlmConfigInput {
  const { batch, padded_length, ...config } = goldenJson<
    GlmConfigInput & { batch: number; padded_length: number }
  >(`${name}.json`);
  assert.ok(batch > 0 && padded_length > 0);
  return config;
}

const golden = suite('model: the original numbers');

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function largestDifference(found: Float32Array, expected: Float32Array): number {
  assert.is(found.length, expected.length);
  let most = 0;
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs((found[i] as number) - (expected[i] as number));
    if (!(difference <= most)) most = difference; // NaN counts
  }
  return most;
}

for (const [name, device] of ['model_tiny', 'model_small'].flatMap((model) =>
  modelDevices.map((on) => [model, on] as const),
)) {
  if (name === 'model_small' && device.name === 'cuda') continue; // too much for a simulated GPU
  const title = `${name}: logits, loss and every gradient on ${device.name}`;
  const compare = async () => {
    const tensors = await GoldenTensors.open(`${name}.safetensors`);
    const config = goldenConfig(name);
    const lengths = tensors.integers('in.lengths');
    const batch = tensors.batch('in.', lengths);
    using model = await goldenModel(tensors, 'weights.', config, device.options);

    const [, width = 0, vocabulary = 0] = tensors.shape('out.logits');
    const logits = tensors.floats('out.logits');
    const expected = Float32Array.from(
      lengths.flatMap((length, row) => [
        ...logits.subarray(row * width * vocabulary, (row * width + length) * vocabulary),
      ]),
    );
    const found = await model.forward(batch);
    assert.ok(largestDifference(found.logits, expected) <= 2e-5, 'logits');

    const expectedLoss = tensors.floats('out.loss')[0] as number;
    const { loss } = await model.loss(batch);
    assert.ok(Math.abs(loss - expectedLoss) <= 2e-6 * expectedLoss, `loss ${loss}, expected ${expectedLoss}`);

    const { loss: sameLoss, gradients } = await model.gradients(batch);
    assert.is(sameLoss, loss);
    assert.is(gradients.size, tensors.names.filter((entry) => entry.startsWith('grads.')).length);
    for (const [parameter, gradient] of gradients) {
      const reference = tensors.floats(`grads.${parameter}`);
      const difference = largestDifference(gradient, reference);
      assert.ok(
        difference <= 2e-5 * largest(reference),
        `${parameter}: ${difference} of ${largest(reference)}`,
      );
    }
  };
  const isHere = findGolden(`${name}.safetensors`) !== undefined || process.env.CI === 'true';
  if (device.missing === undefined && isHere) golden(title, compare);
  else golden.skip(title, compare);
}

golden.run();
