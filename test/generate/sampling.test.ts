/** Sampling: a function of the seed, from the distribution that temperature, top-k and top-p leave. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { LoadOptions } from '../../ts/glm.js';
import { testDevices } from '../support/devices.js';
import { cases, close, smallModel, special } from './golden.js';
import { logprobOf, spanLogits } from './reference.js';
import { textModel } from './text-model.js';

const sampling = suite('generate: sampling');
const context = Int32Array.from(cases.greedy[1]!.context);
const vocabulary = 60;

/** The probabilities of the first token, cut as the options say, computed in float64. */
async function expectedProbabilities({ temperature = 1, topK = vocabulary, topP = 1 }) {
  using model = await smallModel();
  const [rows] = await spanLogits(model, context, [{ index: 4, ids: [] }], special);
  const logits = Array.from(rows![0]!);
  const order = logits.map((_, id) => id).sort((a, b) => logits[b]! - logits[a]!);
  const weights = logits.map((z) => Math.exp((z - logits[order[0]!]!) / temperature));
  const kept = order.slice(0, topK);
  const total = kept.reduce((sum, id) => sum + weights[id]!, 0);
  const probabilities = new Float64Array(vocabulary);
  let mass = 0;
  for (const id of kept) {
    if (mass >= topP * total) break;
    mass += weights[id]!;
    probabilities[id] = weights[id]!;
  }
  return probabilities.map((p) => p / mass);
}

for (const options of [
  { temperature: 1 },
  { temperature: 2.5 },
  { temperature: 1.5, topK: 5 },
  { temperature: 2, topP: 0.8 },
  { temperature: 3, topK: 20, topP: 0.7 },
]) {
  // Pearson's chi-squared over the tokens that are expected at least five times. The draws are those of fixed seeds, so
  // the test passes always or never; one of 10,000 right samplers would fail it.
  sampling(
    `first tokens follow the distribution, chi-squared at 0.0001: ${JSON.stringify(options)}`,
    async () => {
      const probabilities = await expectedProbabilities(options);
      using model = await smallModel();
      const draws = 4000;
      const counts = new Float64Array(vocabulary);
      const results = [];
      for (let from = 0; from < draws; from += 500) {
        const seeds = Array.from({ length: 500 }, (_, i) => from + i);
        results.push(
          ...(await Promise.all(
            seeds.map((seed) => model.fill(context, { ...options, seed, maxTokens: 1, special })),
          )),
        );
      }
      for (const { blanks } of results) {
        const id = blanks[0]!.ids[0] ?? special.eop; // end-of-piece leaves no token
        counts[id]! += 1;
      }
      // End-of-text ends a blank as well, and cannot be told from end-of-piece here.
      probabilities[special.eop]! += probabilities[special.eos!]!;
      probabilities[special.eos!] = 0;
      let statistic = 0;
      let cells = 0;
      let restExpected = 0;
      let restFound = 0;
      probabilities.forEach((p, id) => {
        if (p === 0) assert.is(counts[id], 0, `token ${id} has no probability`);
        if (p * draws < 5) {
          restExpected += p * draws;
          restFound += counts[id]!;
          return;
        }
        statistic += (counts[id]! - p * draws) ** 2 / (p * draws);
        cells++;
      });
      if (restExpected >= 5) {
        statistic += (restFound - restExpected) ** 2 / restExpected;
        cells++;
      }
      assert.ok(cells > 2, `${cells} cells`);
      const freedom = cells - 1;
      // Wilson and Hilferty's approximation of the quantile at 1 - 0.0001 (normal quantile 3.719).
      const limit = freedom * (1 - 2 / (9 * freedom) + 3.719 * Math.sqrt(2 / (9 * freedom))) ** 3;
      assert.ok(statistic <= limit, `chi-squared ${statistic.toFixed(1)}, limit ${limit.toFixed(1)}`);
    },
  );
}

sampling(
  'every token and blank has a draw of its own: uniform at a boundless temperature, chi-squared at 0.0001',
  async () => {
    using model = await smallModel();
    const counts = new Float64Array(vocabulary);
    let draws = 0;
    const repeated = [0, 0];
    for (let seed = 0; seed < 10; seed++) {
      const options = { temperature: 1e6, maxTokens: 90, minTokens: 90, seed, special };
      const { blanks } = await model.fill(context, options);
      const [one, two] = blanks.map(({ ids }) => [...ids]);
      for (const id of [...one!, ...two!]) counts[id]! += 1;
      draws += one!.length + two!.length;
      repeated[0]! += one!.filter((id, i) => i > 0 && id === one![i - 1]).length;
      repeated[1]! += one!.filter((id, i) => id === two![i]).length;
    }
    const possible = vocabulary - 2; // a blank may not end before its last token
    const each = draws / possible;
    const statistic = counts.reduce(
      (sum, n, id) => (id === special.eop || id === special.eos ? sum : sum + (n - each) ** 2 / each),
      0,
    );
    assert.ok(statistic <= 105.6, `chi-squared ${statistic.toFixed(1)} with 57 degrees of freedom`);
    // About 15 of 900 neighbours are equal by chance, of a token and of a blank.
    for (const count of repeated) assert.ok(count <= 35, `${count} repeated draws`);
  },
);

sampling('the seed decides, not the company', async () => {
  using model = await smallModel();
  const inputs = cases.greedy.slice(0, 5).map((golden) => Int32Array.from(golden.context));
  const options = { temperature: 1.2, topK: 30, topP: 0.95, maxTokens: 12, seed: 2 ** 40 + 7, special };
  const together = await model.fill(inputs, options);
  for (const [i, input] of inputs.entries()) {
    const { blanks } = await model.fill(input, options);
    blanks.forEach((blank, b) => {
      const expected = together[i]!.blanks[b]!;
      assert.equal([...blank.ids], [...expected.ids]);
      assert.ok(close(blank.logprob, expected.logprob));
    });
    // How many rows a pass has decides which way their products go, and the bits.
    const exact = { ...options, batching: false };
    const alone = await model.fill(input, exact);
    const [beside] = await Promise.all([model.fill(input, exact), model.fill(inputs, options)]);
    assert.equal(beside, alone, 'not batched: the same bits, whatever else is being filled');
  }
  const other = await model.fill(inputs, { ...options, seed: 8 });
  assert.not.equal(other, together);
  const [a, b] = await Promise.all([0, 1].map(() => model.fill(inputs, { ...options, seed: undefined })));
  assert.not.equal(a, b, 'without a seed every call draws anew');
});

sampling('devices and threads draw the same tokens', async () => {
  const inputs = cases.greedy.map((golden) => Int32Array.from(golden.context));
  const options = { temperature: 1.5, topK: 40, topP: 0.95, maxTokens: 12, minTokens: 4, seed: 77, special };
  const drawn = async (load: LoadOptions) => {
    using model = await smallModel(load);
    return (await model.fill(inputs, options)).map(({ ids }) => [...ids]);
  };
  const expected = await drawn({ threads: 1 });
  for (const { name, missing, threads, options: device } of testDevices) {
    if (missing !== undefined) continue;
    for (const count of threads) assert.equal(await drawn({ ...device, threads: count }), expected, name);
  }
});

sampling('log-probabilities are those of the raw distribution', async () => {
  using model = await smallModel();
  const { blanks } = await model.fill(context, {
    temperature: 3,
    topK: 4,
    maxTokens: 6,
    minTokens: 6,
    seed: 1,
    special,
  });
  const logits = await spanLogits(model, context, blanks, special);
  blanks.forEach(({ ids, logprob }, b) => {
    const expected = ids.reduce((sum, id, i) => sum + logprobOf(logits[b]![i]!, id), 0);
    assert.ok(Math.abs(logprob - expected) < 1e-4, `${logprob}, expected ${expected}`);
  });
});

sampling('suppressed tokens, and rows beyond the tokenizer, are never chosen', async () => {
  using model = await textModel('bpe');
  const { vocabSize, special: tokens } = model.tokenizer!;
  const seeds = Array.from({ length: 40 }, (_, seed) => seed);
  const draw = (suppress: number[]) =>
    Promise.all(
      seeds.map((seed) =>
        model.fill('The [MASK].', { temperature: 5, seed, maxTokens: 30, minTokens: 30, suppress }),
      ),
    );
  const ids = (await draw([])).flatMap(({ blanks }) => [...blanks[0]!.ids]);
  assert.is(ids.length, 40 * 30);
  assert.ok(ids.every((id) => id < vocabSize));
  assert.ok(!ids.includes(tokens.eop) && !ids.includes(tokens.eos));
  const [often] = [...ids].sort(
    (a, b) => ids.filter((id) => id === b).length - ids.filter((id) => id === a).length,
  );
  const without = (await draw([often!])).flatMap(({ blanks }) => [...blanks[0]!.ids]);
  assert.ok(!without.includes(often!));
});

sampling.run();
