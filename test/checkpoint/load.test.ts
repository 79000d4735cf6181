/** Every kind of checkpoint gives the same bits; what is missing, ignored or of another architecture is named. */

import { truncate } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { openCheckpoint } from '../../ts/checkpoint/checkpoint.js';
import { convertCheckpoint, type ConvertOptions } from '../../ts/checkpoint/convert.js';
import { writeFileAtomically } from '../../ts/files.js';
import { GLM } from '../../ts/glm.js';
import { writeSafetensors } from '../../ts/io/safetensors.js';
import { writeTorchFile } from '../../ts/io/torch-writer.js';
import {
  asDictionary,
  differing,
  tinyConfig,
  tinyWeights,
  toWrite,
  writeConfig,
  writeModel,
  writeTorchModel,
} from '../support/checkpoint.js';
import { failsWith } from '../support/fails-with.js';
import { withFolder } from '../support/folder.js';

const test = suite('checkpoints in');
const weights = tinyWeights();
const words = 'word_embeddings.weight';
const positions = 'transformer.position_embeddings.weight';

/** Loads it on the CPU, and names the weights that are not those written. */
async function loaded(location: string, config?: object): Promise<string[]> {
  const model = await GLM.load(location, { device: 'cpu', threads: 1, ...(config && { config }) });
  try {
    return await differing(model, weights);
  } finally {
    model.dispose();
  }
}

for (const type of ['F32', 'F16', 'BF16'] as const) {
  for (const prefix of ['', 'glm.', 'module.model.']) {
    test(`${type}, names behind "${prefix}", safetensors and PyTorch`, () =>
      withFolder(async (folder) => {
        await writeModel(folder, toWrite(weights, prefix, type));
        assert.equal(await loaded(folder), []);
        const other = path.join(folder, 'torch');
        await writeTorchModel(other, toWrite(weights, prefix, type));
        assert.equal(await loaded(other), []);
        assert.equal(await loaded(path.join(other, 'pytorch_model.bin')), []);
      }));
  }
}

const kinds: [string, ConvertOptions][] = [
  ['safetensors in shards', { maxShardBytes: 8000 }],
  ['PyTorch in shards', { format: 'pytorch', maxShardBytes: 8000 }],
  ['the original', { format: 'original' }],
  ['the original on two ranks', { format: 'original', modelParallel: 2 }],
  ['the original on four ranks, bfloat16', { format: 'original', modelParallel: 4, dtype: 'bfloat16' }],
  ['float16', { dtype: 'float16' }],
];
for (const [title, options] of kinds) {
  test(`${title}, and back: the same bits`, () =>
    withFolder(async (folder) => {
      const [from, to, back] = ['from', 'to', 'back'].map((name) => path.join(folder, name)) as [
        string,
        string,
        string,
      ];
      await writeModel(from);
      await convertCheckpoint(from, to, options);
      assert.equal(await loaded(to), []);
      await convertCheckpoint(to, back, { dtype: 'float32' });
      assert.equal(await loaded(back), []);
    }));
}

test('a folder of DeepSpeed, with training state beside the weights', () =>
  withFolder(async (folder) => {
    await writeTorchFile(
      path.join(folder, 'step-7/mp_rank_00_model_states.pt'),
      new Map([
        ['module', asDictionary(toWrite(weights))],
        ['optimizer', new Map([['step', 7]])],
      ]),
    );
    await writeFileAtomically(path.join(folder, 'latest'), 'step-7\n');
    await writeConfig(folder);
    assert.equal(await loaded(folder), []);
    await writeFileAtomically(path.join(folder, 'latest'), '../step-7');
    await failsWith('GLM_CORRUPT_FILE', /latest.*name of a folder/s, () => loaded(folder));
  }));

test('without config.json sizes come from the tensors; heads have 64 columns unless told', () =>
  withFolder(async (folder) => {
    await writeSafetensors(path.join(folder, 'model.safetensors'), toWrite(weights));
    await failsWith('GLM_INVALID_ARGUMENT', /num_attention_heads/, () => loaded(folder));
    const checkpoint = await openCheckpoint(folder, { num_attention_heads: 4 });
    const { num_layers, hidden_size, vocab_size, max_sequence_length } = checkpoint.config;
    assert.equal(
      { num_layers, hidden_size, vocab_size, max_sequence_length, num_attention_heads: 4 },
      tinyConfig,
    );
    await checkpoint.close();
  }));

test('the tensors hold where config.json says otherwise, and it is noted', () =>
  withFolder(async (folder) => {
    await writeModel(folder, toWrite(weights), {
      ...tinyConfig,
      max_sequence_length: 9,
      attention_scale: 8,
      made_up: 1,
    });
    const checkpoint = await openCheckpoint(folder);
    const { config, notes } = checkpoint;
    await checkpoint.close();
    assert.is(config.max_sequence_length, 8);
    assert.is(notes.length, 2);
    assert.match(notes.join(), /max_sequence_length 9.*8 holds/);
    assert.match(notes.join(), /made_up/);
    assert.equal(await loaded(folder), []);
  }));

test('other heads are reported and ignored', () =>
  withFolder(async (folder) => {
    const head = {
      name: 'dense.weight',
      type: 'F32',
      shape: [16, 16],
      bytes: () => new Uint8Array(1024),
    } as const;
    const pooled = { ...head, name: 'pool_layer.weight' };
    await writeModel(folder, [...toWrite(weights, 'glm.'), head, pooled]);
    const checkpoint = await openCheckpoint(folder);
    const { ignored, missing } = checkpoint;
    await checkpoint.close();
    assert.equal(ignored.sort(), ['dense.weight', 'pool_layer.weight']);
    assert.equal(missing, []);
    assert.equal(await loaded(folder), []);
  }));

test('a classifier is loaded where config.json knows it, and new where it is asked for', () =>
  withFolder(async (folder) => {
    const config = { ...tinyConfig, num_labels: 3 };
    using model = await GLM.create(config, { device: 'cpu', threads: 1, seed: 4 });
    const [saved, other] = [path.join(folder, 'a'), path.join(folder, 'b')];
    await model.save(saved);
    const head = (of: GLM) => Promise.all(['dense.weight', 'out_proj.weight'].map((name) => of.readParameter(name))); // prettier-ignore
    using again = await GLM.load(saved, { device: 'cpu' });
    assert.is(again.config.num_labels, 3);
    assert.equal(await head(again), await head(model));
    using kept = await GLM.load(saved, { device: 'cpu', config: { num_labels: 3 } });
    assert.equal(await head(kept), await head(model));
    using fewer = await GLM.load(saved, { device: 'cpu', config: { num_labels: 2 } });
    assert.equal((await head(fewer)).map(({ length }) => length), [16 * 16, 2 * 16]); // prettier-ignore
    assert.not.equal((await head(fewer))[0], (await head(model))[0]);
    using without = await GLM.load(saved, { device: 'cpu', config: { num_labels: 0 } });
    assert.not(without.parameters().has('dense.weight'));
    // A configuration that speaks of classes, and no classifier.
    await writeModel(other, toWrite(weights));
    await writeConfig(other, { ...tinyConfig, num_labels: 2 });
    assert.equal(await loaded(other), []);
  }));

test('missing weights are an error that lists them', () =>
  withFolder(async (folder) => {
    const absent = ['transformer.layers.1.mlp.dense_4h_to_h.bias', 'transformer.final_layernorm.weight'];
    await writeModel(
      folder,
      toWrite(weights).filter(({ name }) => !absent.includes(name)),
    );
    await failsWith('GLM_MISSING_WEIGHTS', new RegExp(absent.join('.*')), () => loaded(folder));
  }));

test('a tensor of another shape is an error', () =>
  withFolder(async (folder) => {
    const tensors = toWrite(weights).map((tensor) =>
      tensor.name === 'transformer.layers.0.attention.dense.bias' ? { ...tensor, shape: [4, 4] } : tensor,
    );
    await writeModel(folder, tensors);
    await failsWith('GLM_CHECKPOINT_FORMAT', /dense\.bias to be \[16\].*\[4, 4\]/, () => loaded(folder));
  }));

test('the position tables are extended, or cut, on request', () =>
  withFolder(async (folder) => {
    await writeModel(folder);
    for (const max_sequence_length of [12, 5]) {
      const model = await GLM.load(folder, { device: 'cpu', config: { max_sequence_length } });
      assert.is(model.config.max_sequence_length, max_sequence_length);
      const rows = await model.readParameter(positions);
      assert.is(rows.length, (max_sequence_length + 1) * 16);
      const kept = Math.min(rows.length, 9 * 16);
      assert.equal(rows.subarray(0, kept), weights.get(positions)!.values.subarray(0, kept));
      const added = rows.subarray(kept);
      assert.ok(added.every((value) => value !== 0 && Math.abs(value) < 0.2));
      model.dispose();
    }
  }));

test('models of other architectures are refused by name', () =>
  withFolder(async (folder) => {
    const refused = async (config: object, message: RegExp) => {
      await writeModel(folder, toWrite(weights), config);
      await failsWith('GLM_INCOMPATIBLE_MODEL', message, () => loaded(folder));
    };
    await refused({ model_type: 'glm', num_hidden_layers: 40, rope_theta: 10000 }, /GLM-4/);
    await refused({ model_type: 'chatglm', num_layers: 28, padded_vocab_size: 65024 }, /ChatGLM/);
    await refused({ ...tinyConfig, relative_encoding: true }, /relative_encoding/);
    const relative = {
      name: 'transformer.r_w_bias',
      type: 'F32',
      shape: [1],
      bytes: () => new Uint8Array(4),
    } as const;
    await writeModel(folder, [...toWrite(weights), relative]);
    await failsWith('GLM_INCOMPATIBLE_MODEL', /relative_encoding/, () => loaded(folder));
  }));

test('with output_predict false a model gives hidden states only', () =>
  withFolder(async (folder) => {
    await writeModel(folder, toWrite(weights), { ...tinyConfig, output_predict: false });
    const model = await GLM.load(folder, { device: 'cpu' });
    const batch = {
      ids: Int32Array.of(1, 2, 3),
      positions: Int32Array.of(0, 1, 2),
      blockPositions: new Int32Array(3),
      offsets: Int32Array.of(0, 3),
      contextLengths: Int32Array.of(2),
    };
    await failsWith('GLM_INCOMPATIBLE_MODEL', /output_predict/, () => model.forward(batch));
    const { hiddenStates } = await model.hiddenStates(batch, { rows: Int32Array.of(0, 2) });
    assert.is(hiddenStates.length, 2 * 16);
    const whole = await GLM.load(folder, { device: 'cpu', config: { output_predict: true } });
    const { logits } = await whole.forward(batch, { rows: Int32Array.of(0, 2) });
    const table = weights.get(words)!.values;
    for (const [row, token] of [
      [0, 0],
      [1, 23],
    ] as const) {
      let sum = 0;
      for (let i = 0; i < 16; i++) sum += hiddenStates[row * 16 + i]! * table[token * 16 + i]!;
      assert.ok(Math.abs(sum - logits[row * 24 + token]!) < 1e-4);
    }
  }));

test("the original's glm-10b-chinese: [gMASK] moves to where the Hub has it", () =>
  withFolder(async (folder) => {
    // The row is chosen by the sizes: a file of the real size, most of which is a hole that takes no room on the disk.
    const shape = [50048, 4096];
    const bytes = 50048 * 4096 * 2;
    const header = Buffer.from(
      JSON.stringify({ [words]: { dtype: 'F16', shape, data_offsets: [0, bytes] } }),
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const file = path.join(folder, 'mp_rank_00_model_states.pt');
    await writeFileAtomically(file, Buffer.concat([length, header]));
    await truncate(file, 8 + header.length + bytes);
    const checkpoint = await openCheckpoint(folder, { num_layers: 1, max_sequence_length: 1024 });
    await checkpoint.close();
    const weight = checkpoint.weights.get(words)!;
    assert.equal(weight.shape, shape);
    assert.equal(
      weight.parts.map((part) => [(part.begin - weight.parts[0]!.begin) / 8192, part.shape[0]]),
      [
        [0, 50009],
        [50007, 1],
        [50010, 38],
      ],
    );
    assert.match(checkpoint.notes.join(), /50007 to 50009/);
  }));

test('folders that hold no checkpoint say what was expected', () =>
  withFolder(async (folder) => {
    await failsWith('GLM_CHECKPOINT_FORMAT', /expected model\.safetensors.*an empty folder/, () =>
      loaded(folder),
    );
    await failsWith('GLM_IO', /check the path/, () => loaded(path.join(folder, 'nowhere')));
    await writeFileAtomically(
      path.join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { a: '../../etc/passwd' } }),
    );
    await failsWith('GLM_CORRUPT_FILE', /files beside it/, () => loaded(folder));
    await writeFileAtomically(path.join(folder, 'mp_rank_01_model_states.pt'), '');
    await failsWith('GLM_CHECKPOINT_FORMAT', /none for rank 0/, () =>
      loaded(path.join(folder, 'mp_rank_01_model_states.pt')),
    );
  }));

test.run();
