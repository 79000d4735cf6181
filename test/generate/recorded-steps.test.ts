/** When steps are recorded, and that a fill without room for a recording goes on. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GlmError } from '../../ts/errors.js';
import { GLM } from '../../ts/glm.js';
import type { NativeDevice } from '../../ts/native.js';
import { special } from './golden.js';

const recordedSteps = suite('generate: recorded steps');
const config = {
  num_layers: 2,
  hidden_size: 32,
  num_attention_heads: 2,
  vocab_size: 211,
  max_sequence_length: 400,
};

function textOf(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => (i === 1 ? special.mask : 10 + ((i * 37) % 200)));
}

/** Puts another function in the place of a device's recordStep. */
function replaceRecordStep(
  device: NativeDevice,
  other: (original: NativeDevice['recordStep']) => NativeDevice['recordStep'],
): void {
  const original = device.recordStep.bind(device);
  Object.defineProperty(device, 'recordStep', { value: other(original) });
}

async function recordingsOf(fill: (model: GLM) => Promise<unknown>): Promise<number> {
  using model = await GLM.create(config, { device: 'cpu', seed: 5 });
  let recordings = 0;
  replaceRecordStep(model.network.device, (original) => (step, body) => {
    recordings++;
    return original(step, body);
  });
  await fill(model);
  return recordings;
}

recordedSteps('one recording serves a text, and texts of one shape that take turns', async () => {
  const options = { maxTokens: 40, minTokens: 40, special };
  assert.is(
    await recordingsOf((model) => model.fill(textOf(50), { ...options, maxTokens: 2, minTokens: 2 })),
    0,
  );
  assert.is(await recordingsOf((model) => model.fill(textOf(50), options)), 1);
  const turns = await recordingsOf((model) =>
    Promise.all([model.fill(textOf(300), { ...options, batching: false }), model.fill(textOf(50), options)]),
  );
  assert.ok(turns <= 2, `${turns} recordings`);
});

recordedSteps('where memory is short a fill goes on without recordings', async () => {
  const options = { maxTokens: 20, minTokens: 20, special };
  using model = await GLM.create(config, { device: 'cpu', seed: 5 });
  const expected = await model.fill(textOf(50), options);
  let refused = 0;
  replaceRecordStep(model.network.device, () => () => {
    refused++;
    throw new GlmError('GLM_OUT_OF_MEMORY', 'on purpose');
  });
  assert.equal(await model.fill(textOf(50), options), expected);
  assert.ok(refused > 0);
});

recordedSteps.run();
