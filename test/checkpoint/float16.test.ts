/** Float16 weights are computed with as they are: to the bit what their float32 values give. */

import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import { tinyWeights, toWrite, type Weights, writeModel } from '../support/checkpoint.js';
import { testDevices } from '../support/devices.js';
import { withFolder } from '../support/folder.js';
import { TestRandom } from '../support/random.js';

const test = suite('float16 weights');

// No multiple of any vector's width.
const config = {
  num_layers: 2,
  hidden_size: 36,
  num_attention_heads: 3,
  vocab_size: 77,
  max_sequence_length: 70,
};

/** Values of every size that float16 has, subnormal ones and zeros too. */
function float16Weights(): Weights {
  const random = new TestRandom(11);
  const weights = tinyWeights(config);
  for (const { values } of weights.values()) {
    for (let i = 0; i < values.length; i++) {
      const scale = 2 ** -(random.below(16) + 2);
      const value = (1024 + random.below(1024)) * scale * 2 ** -10;
      // Multiples of the smallest subnormal number.
      values[i] = Math.round((random.below(2) === 0 ? value : -value) * 2 ** 24) / 2 ** 24;
    }
  }
  return weights;
}

/** Fewer tokens than packing pays for, and more. */
function batchOf(tokens: number) {
  return {
    ids: Int32Array.from({ length: tokens }, (_, i) => (i * 31) % 77),
    positions: Int32Array.from({ length: tokens }, (_, i) => i),
    blockPositions: Int32Array.from({ length: tokens }, (_, i) => i % 3),
    offsets: Int32Array.of(0, tokens),
    contextLengths: Int32Array.of(2),
    targets: Int32Array.from({ length: tokens }, (_, i) => (i * 7) % 77),
    lossMask: new Uint8Array(tokens).fill(1),
  };
}

for (const { name, missing, options } of testDevices) {
  if (missing !== undefined) {
    test.skip(`${name}: ${missing}`);
    continue;
  }
  test(`${name}: logits, losses and gradients`, () =>
    withFolder(async (folder) => {
      const weights = float16Weights();
      const models: GLM[] = [];
      for (const type of ['F32', 'F16'] as const) {
        const place = path.join(folder, type);
        await writeModel(place, toWrite(weights, '', type), config);
        models.push(await GLM.load(place, { ...options, threads: 2 }));
      }
      const [single, half] = models as [GLM, GLM];
      assert.is(half.parameters().get('word_embeddings.weight')!.dtype, 'float16');
      for (const tokens of [3, 70]) {
        const batch = batchOf(tokens);
        const [expected, found] = [await single.forward(batch), await half.forward(batch)];
        assert.ok(expected.logits.every((value) => Number.isFinite(value)));
        assert.equal(found.logits, expected.logits, `${tokens} tokens`);
        const [expectedStep, foundStep] = [await single.gradients(batch), await half.gradients(batch)];
        assert.is(foundStep.loss, expectedStep.loss);
        for (const [parameter, gradient] of expectedStep.gradients) {
          assert.equal(foundStep.gradients.get(parameter), gradient, `${parameter}, ${tokens} tokens`);
        }
      }
      for (const model of models) model.dispose();
    }));
}

test('in bfloat16 they are rounded once, and saved as they were', () =>
  withFolder(async (folder) => {
    const weights = float16Weights();
    await writeModel(folder, toWrite(weights, '', 'F16'), config);
    const model = await GLM.load(folder, { device: 'cpu', dtype: 'bfloat16' });
    assert.is(model.network.parameters.get('word_embeddings.weight').dtype, 'bfloat16');
    await model.save(path.join(folder, 'again'));
    const again = await GLM.load(path.join(folder, 'again'), { device: 'cpu' });
    assert.is(again.parameters().get('word_embeddings.weight')!.dtype, 'float16');
    for (const [name, { values }] of weights) {
      assert.equal(await again.readParameter(name), values, name);
    }
    const { logits } = await model.forward(batchOf(5));
    const exact = (await again.forward(batchOf(5))).logits;
    const scale = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assert.ok(exact.every((value, i) => Math.abs(value - logits[i]!) < 0.03 * scale));
    model.dispose();
    again.dispose();
  }));

test.run();
