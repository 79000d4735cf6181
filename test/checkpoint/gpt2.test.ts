/** A tiny random GPT-2 as the Hub stores it, against a forward pass in float64 that is written here by itself. */

import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { openCheckpoint } from '../../ts/checkpoint/checkpoint.js';
import { GLM } from '../../ts/glm.js';
import type { TensorToWrite } from '../../ts/io/safetensors.js';
import { elementCount } from '../../ts/shape.js';
import { writeModel, writeTorchModel } from '../support/checkpoint.js';
import { failsWith } from '../support/fails-with.js';
import { withFolder } from '../support/folder.js';
import { TestRandom } from '../support/random.js';

const test = suite('GPT-2 as a GLM');

const config = {
  model_type: 'gpt2',
  n_layer: 2,
  n_head: 2,
  n_embd: 8,
  n_positions: 12,
  vocab_size: 19,
  layer_norm_epsilon: 1e-5,
  activation_function: 'gelu_new',
  resid_pdrop: 0.1,
  some_key: 1,
};
const { n_layer: layers, n_head: heads, n_embd: h, n_positions: positions, vocab_size: vocabulary } = config;

type Matrix = { shape: readonly number[]; values: Float32Array };

/** Names and shapes of `GPT2LMHeadModel`, linear layers as [in, out]. */
function gpt2Weights(): Map<string, Matrix> {
  const random = new TestRandom(3);
  const weights = new Map<string, Matrix>();
  const add = (name: string, ...shape: number[]) =>
    weights.set(name, {
      shape,
      values: Float32Array.from({ length: elementCount(shape) }, () => random.normal() * 0.4),
    });
  add('transformer.wte.weight', vocabulary, h);
  add('transformer.wpe.weight', positions, h);
  for (let i = 0; i < layers; i++) {
    const layer = `transformer.h.${i}`;
    for (const norm of ['ln_1', 'ln_2']) {
      add(`${layer}.${norm}.weight`, h);
      add(`${layer}.${norm}.bias`, h);
    }
    add(`${layer}.attn.bias`, 1, 1, positions, positions); // the causal mask, which is no parameter
    for (const [name, inputs, outputs] of [
      ['attn.c_attn', h, 3 * h],
      ['attn.c_proj', h, h],
      ['mlp.c_fc', h, 4 * h],
      ['mlp.c_proj', 4 * h, h],
    ] as const) {
      add(`${layer}.${name}.weight`, inputs, outputs);
      add(`${layer}.${name}.bias`, outputs);
    }
  }
  add('transformer.ln_f.weight', h);
  add('transformer.ln_f.bias', h);
  weights.set('lm_head.weight', weights.get('transformer.wte.weight')!);
  return weights;
}

/** Logits [T, vocabulary] in float64. */
function reference(weights: Map<string, Matrix>, ids: readonly number[]): number[][] {
  const of = (name: string) => weights.get(`transformer.${name}`)!.values;
  const norm = (x: number[], name: string): number[] => {
    const mean = x.reduce((sum, value) => sum + value, 0) / h;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / h;
    return x.map(
      (value, i) =>
        ((value - mean) / Math.sqrt(variance + 1e-5)) * of(`${name}.weight`)[i]! + of(`${name}.bias`)[i]!,
    );
  };
  const linear = (x: number[], name: string): number[] => {
    const bias = of(`${name}.bias`);
    const weight = of(`${name}.weight`);
    return Array.from(bias, (start, j) =>
      x.reduce((sum, value, i) => sum + value * weight[i * bias.length + j]!, start),
    );
  };
  const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  const plus = (x: number[], y: number[]) => x.map((value, i) => value + y[i]!);

  let rows = ids.map((id, t) =>
    Array.from({ length: h }, (_, i) => of('wte.weight')[id * h + i]! + of('wpe.weight')[t * h + i]!),
  );
  for (let i = 0; i < layers; i++) {
    const layer = `h.${i}`;
    const qkv = rows.map((x) => linear(norm(x, `${layer}.ln_1`), `${layer}.attn.c_attn`));
    const attended = rows.map((_, t) =>
      Array.from({ length: heads }, (_, head) => {
        const width = h / heads;
        const part = (row: number[], which: number) =>
          row.slice(which * h + head * width, which * h + (head + 1) * width);
        const query = part(qkv[t]!, 0);
        const scores = qkv
          .slice(0, t + 1)
          .map((row) =>
            Math.exp(part(row, 1).reduce((sum, key, k) => sum + key * query[k]!, 0) / Math.sqrt(width)),
          );
        const total = scores.reduce((sum, score) => sum + score, 0);
        return Array.from({ length: width }, (_, k) =>
          scores.reduce((sum, score, s) => sum + (score / total) * part(qkv[s]!, 2)[k]!, 0),
        );
      }).flat(),
    );
    rows = rows.map((x, t) => plus(x, linear(attended[t]!, `${layer}.attn.c_proj`)));
    rows = rows.map((x) =>
      plus(x, linear(linear(norm(x, `${layer}.ln_2`), `${layer}.mlp.c_fc`).map(gelu), `${layer}.mlp.c_proj`)),
    );
  }
  return rows.map((x) => {
    const last = norm(x, 'ln_f');
    return Array.from({ length: vocabulary }, (_, v) =>
      last.reduce((sum, value, i) => sum + value * of('wte.weight')[v * h + i]!, 0),
    );
  });
}

function toWrite(weights: Map<string, Matrix>): TensorToWrite[] {
  return [...weights].map(([name, { shape, values }]) => ({
    name,
    type: 'F32',
    shape,
    bytes: () => new Uint8Array(values.buffer),
  }));
}

test('the logits of both forms of file', () =>
  withFolder(async (folder) => {
    const weights = gpt2Weights();
    const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 18, 0];
    const expected = reference(weights, ids).flat();
    const batch = {
      ids: Int32Array.from(ids),
      positions: Int32Array.from(ids, (_, t) => t),
      blockPositions: new Int32Array(ids.length),
      offsets: Int32Array.of(0, ids.length),
      contextLengths: Int32Array.of(0), // nothing is seen from before it
    };
    const bare = [...weights].map(([name, weight]) => [name.replace(/^transformer\./, ''), weight] as const);
    await writeModel(path.join(folder, 'a'), toWrite(weights), config);
    await writeTorchModel(path.join(folder, 'b'), toWrite(new Map(bare)), config);
    for (const place of ['a', 'b']) {
      const model = await GLM.load(path.join(folder, place), { device: 'cpu' });
      assert.is(model.config.block_position_encoding, false);
      assert.is(model.config.max_sequence_length, positions);
      const { logits } = await model.forward(batch);
      const scale = Math.max(...expected.map(Math.abs));
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - logits[i]!)), 0);
      assert.ok(worst < 1e-5 * scale, `${worst} of ${scale}`);
      model.dispose();
    }
  }));

test('masks and the tied projection are ignored; variants that compute otherwise are refused', () =>
  withFolder(async (folder) => {
    await writeModel(folder, toWrite(gpt2Weights()), config);
    const checkpoint = await openCheckpoint(folder);
    await checkpoint.close();
    const { ignored, missing } = checkpoint;
    assert.equal(missing, []);
    assert.equal(ignored, ['transformer.h.0.attn.bias', 'transformer.h.1.attn.bias', 'lm_head.weight']);
    for (const other of [
      { activation_function: 'relu' },
      { scale_attn_by_inverse_layer_idx: true },
      { n_inner: 8 },
    ]) {
      await writeModel(folder, toWrite(gpt2Weights()), { ...config, ...other });
      await failsWith('GLM_INCOMPATIBLE_MODEL', new RegExp(Object.keys(other)[0]!), () =>
        GLM.load(folder, { device: 'cpu' }),
      );
    }
  }));

test.run();
