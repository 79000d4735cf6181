import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { convertCheckpoint } from '../../ts/checkpoint/convert.js';
import { inspectCheckpoint } from '../../ts/checkpoint/describe.js';
import { GLM } from '../../ts/glm.js';
import { Trainer } from '../../ts/train/trainer.js';
import { tinyConfig, tinyWeights, toWrite, writeModel } from '../support/checkpoint.js';
import { withFolder } from '../support/folder.js';

const test = suite('inspect');
const count = [...tinyWeights().values()].reduce((sum, { values }) => sum + values.length, 0);

test('parameters by part, types, what is missing and what is ignored', () =>
  withFolder(async (folder) => {
    const absent = 'transformer.layers.1.mlp.dense_4h_to_h.bias';
    const head = { name: 'out_proj.bias', type: 'F32', shape: [2], bytes: () => new Uint8Array(8) } as const;
    const tensors = toWrite(tinyWeights(), '', 'BF16').filter(({ name }) => name !== absent);
    await writeModel(folder, [...tensors, head], tinyConfig);
    const found = await inspectCheckpoint(folder);
    assert.is(found.parameters, count);
    assert.is(
      Object.values(found.parts).reduce((sum, part) => sum + part, 0),
      count,
    );
    assert.is(found.parts['word_embeddings'], 24 * 16);
    assert.equal(found.types, { BF16: tensors.length });
    assert.equal([found.loads, found.missing, found.ignored], [false, [absent], ['out_proj.bias']]);
  }));

test('half precision halves the memory of matrices', () =>
  withFolder(async (folder) => {
    const half = path.join(folder, 'half');
    await writeModel(folder);
    await convertCheckpoint(folder, half, { dtype: 'bfloat16' });
    const vectors = [...tinyWeights().values()].filter(({ shape }) => shape.length === 1);
    const small = vectors.reduce((sum, { values }) => sum + values.length, 0);
    assert.is((await inspectCheckpoint(folder)).memory.parameters, 4 * count);
    assert.is((await inspectCheckpoint(half)).memory.parameters, 4 * small + 2 * (count - small));
  }));

test('the memory of training is a bound, and not a loose one', () =>
  withFolder(async (folder) => {
    const [examples, length] = [4, 256];
    const tokens = examples * length;
    const config = { num_layers: 4, hidden_size: 128, num_attention_heads: 2, vocab_size: 2048 };
    const model = await GLM.create({ ...config, max_sequence_length: length }, { device: 'cpu', threads: 1 });
    await model.save(folder);
    const { memory } = await inspectCheckpoint(folder, { batchSize: examples, length });
    const batch = {
      ids: new Int32Array(tokens),
      positions: Int32Array.from({ length: tokens }, (_, i) => i % length),
      blockPositions: new Int32Array(tokens),
      offsets: Int32Array.from({ length: examples + 1 }, (_, i) => i * length),
      contextLengths: new Int32Array(examples).fill(length),
      targets: new Int32Array(tokens),
      lossMask: Uint8Array.from({ length: tokens }, (_, i) => (i % 7 === 0 ? 1 : 0)),
    };
    using trainer = new Trainer(model, { data: () => [batch], steps: 2, dropout: 0.1 });
    for await (const event of trainer.run()) assert.is.not(event.type, 'overflow');
    const { peak } = model.network.device.memory();
    assert.ok(
      peak <= memory.training && memory.training <= 1.3 * peak,
      `${memory.training} for ${peak} bytes`,
    );
    model.dispose();
  }));

test.run();
