/** Learning to choose: gradients against finite differences of the losses, dropout and all. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { type Batch, concatBatches, type Decision } from '../../ts/data/batch.js';
import { GLM } from '../../ts/glm.js';
import { accumulateDecisionGradients, classScores, logSoftmax } from '../../ts/model/decisions.js';
import { example } from '../../ts/tasks/input.js';
import { testDevices } from '../support/devices.js';

const decisions = suite('decisions');
const special = { sop: 4, eop: 5 };
const config = { num_layers: 1, hidden_size: 16, num_attention_heads: 2, vocab_size: 40, max_sequence_length: 32, initializer_range: 0.3 }; // prettier-ignore
const text = (...ids: number[]) => Int32Array.from([1, ...ids, 2]);
const withTarget = (ids: Int32Array, ...target: number[]) =>
  example(ids, Int32Array.from(target), special, [3]);

function choices(generative: boolean): { batch: Batch; decision: Decision } {
  const [first, second] = [text(10, 3, 12), text(20, 21, 3, 22, 23)];
  const batch = concatBatches([
    ...[withTarget(first, 30, 31, 5), withTarget(first, 32, 5)],
    ...[withTarget(second, 33, 5), withTarget(second, 34, 35, 36, 5), withTarget(second, 37, 5)],
  ]);
  const labels = Int32Array.of(1, 0);
  return { batch, decision: { kind: 'choices', offsets: Int32Array.of(0, 2, 5), labels, generative } };
}

function words(): { batch: Batch; decision: Decision } {
  const contexts = [text(10, 3, 12), text(20, 21, 3, 22, 23), text(3, 11)];
  const batch = concatBatches(contexts.map((ids) => example(ids, undefined, special, [3])));
  return {
    batch,
    decision: { kind: 'words', words: Int32Array.of(30, 12, 33), labels: Int32Array.of(2, 0, 1) },
  };
}

/** Read at the first token. */
function classes(): { batch: Batch; decision: Decision } {
  return { batch: words().batch, decision: { kind: 'classes', labels: Int32Array.of(2, 0, 1) } };
}

const cases = {
  'texts in a blank': choices(false),
  'texts in a blank that are also learned to be written': choices(true),
  'words in a blank': words(),
  'classes of a classifier': classes(),
};

for (const device of testDevices) {
  for (const [name, { batch, decision }] of Object.entries(cases)) {
    const title = `${name}: the gradients are the finite differences on ${device.name}`;
    if (device.missing !== undefined) {
      decisions.skip(`${title}: ${device.missing}`);
      continue;
    }
    decisions(title, async () => {
      const sizes = { ...config, num_labels: decision.kind === 'classes' ? 3 : 0 };
      using model = await GLM.create(sizes, { ...device.options, threads: 1, seed: 3 });
      const { network } = model;
      const dropout = { embedding: 0.1, attention: 0.1, output: 0.1 };
      const training = { dropout, seed: 5, draw: 7, checkpointedLayers: 0 };
      const losses = () =>
        accumulateDecisionGradients(network, batch, decision, { gradientScale: 0.5, training });
      const value = async () => (await losses()).reduce((sum, loss) => sum + loss, 0) / 2;
      await losses();
      const checked = ['word_embeddings.weight', 'transformer.layers.0.mlp.dense_h_to_4h.bias', 'transformer.final_layernorm.weight']; // prettier-ignore
      if (decision.kind === 'classes') checked.push('dense.weight', 'dense.bias', 'out_proj.weight', 'out_proj.bias'); // prettier-ignore
      const gradients = await Promise.all(
        checked.map((parameter) => network.parameters.get(parameter).readGradient()),
      );
      for (const [i, parameter] of checked.entries()) {
        const tensor = network.parameters.get(parameter);
        const values = (await tensor.read()) as Float32Array;
        const gradient = gradients[i] as Float32Array;
        // The words of the batch, and where the gradient is largest.
        const largest = gradient.reduce(
          (best, g, at) => (Math.abs(g) > Math.abs(gradient[best]!) ? at : best),
          0,
        );
        for (const at of [largest, 30 % gradient.length, 3 % gradient.length]) {
          const at2 = async (change: number) => {
            tensor.write(values.with(at, values[at]! + change));
            const result = await value();
            tensor.write(values);
            return result;
          };
          const step = 2e-3;
          const slope = ((await at2(step)) - (await at2(-step))) / (2 * step);
          const most = Math.abs(gradient[largest]!);
          assert.ok(Math.abs(slope - gradient[at]!) < 2e-3 + 5e-3 * most, `${parameter}[${at}]: ${gradient[at]}, differences ${slope}`); // prettier-ignore
        }
      }
    });
  }
}

decisions('the scores of words are what their loss is of', async () => {
  const { batch, decision } = words();
  using model = await GLM.create(config, { device: 'cpu', threads: 1, seed: 3 });
  if (decision.kind !== 'words') return;
  const scores = await classScores(model.network, batch, decision);
  const losses = await accumulateDecisionGradients(model.network, batch, decision, { gradientScale: 1 });
  for (const [q, label] of decision.labels.entries()) {
    assert.ok(Math.abs(losses[q]! + logSoftmax(scores[q]!)[label]!) < 1e-5);
  }
  // The restricted softmax: the same order as the whole vocabulary's.
  const rows = Int32Array.from(batch.offsets.slice(1), (end) => end - 1);
  const { logits } = await model.forward(batch, { rows });
  assert.ok(Math.abs(logits[decision.words[0]!]! - scores[0]![0]!) < 1e-5);
});

decisions('a classifier: dense, tanh, projection of the first hidden state', async () => {
  const { batch, decision } = classes();
  using model = await GLM.create({ ...config, num_labels: 3 }, { device: 'cpu', threads: 1, seed: 3 });
  if (decision.kind !== 'classes') return;
  const scores = await classScores(model.network, batch, decision);
  const losses = await accumulateDecisionGradients(model.network, batch, decision, { gradientScale: 1 });
  const { hiddenStates } = await model.hiddenStates(batch, { rows: batch.offsets.slice(0, -1) });
  const [dense, projection] = await Promise.all(['dense', 'out_proj'].map(async (name) => ({
    weight: await model.readParameter(`${name}.weight`),
    bias: await model.readParameter(`${name}.bias`),
  }))); // prettier-ignore
  const apply = (input: ArrayLike<number>, { weight, bias }: { weight: Float32Array; bias: Float32Array }) =>
    Array.from(bias, (b, o) => Array.from(input).reduce((sum, x, i) => sum + x * weight[o * input.length + i]!, b)); // prettier-ignore
  for (const [q, label] of decision.labels.entries()) {
    const first = hiddenStates.subarray(q * config.hidden_size, (q + 1) * config.hidden_size);
    const expected = apply(apply(first, dense!).map(Math.tanh), projection!);
    for (const [c, score] of scores[q]!.entries()) assert.ok(Math.abs(score - expected[c]!) < 1e-5);
    assert.ok(Math.abs(losses[q]! + logSoftmax(scores[q]!)[label]!) < 1e-5);
  }
});

decisions('labels that are no choices are said', async () => {
  const { batch, decision } = choices(false);
  using model = await GLM.create(config, { device: 'cpu', threads: 1, seed: 3 });
  const wrong: Decision = { ...decision, labels: Int32Array.of(1, 3) };
  try {
    await accumulateDecisionGradients(model.network, batch, wrong, { gradientScale: 1 });
    assert.unreachable();
  } catch (error) {
    assert.match(
      (error as Error).message,
      /expected labels\[1\] to be one of the question's choices, found 3/,
    );
  }
});

decisions.run();
