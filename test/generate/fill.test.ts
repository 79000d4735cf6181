/** `fill` against what the original fills (golden/generate_small), without a cache, and alone. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { DeviceOptions } from '../../ts/devices.js';
import { GLM } from '../../ts/glm.js';
import { modelDevices, testDevices } from '../support/devices.js';
import { cases, close, type GreedyCase, greedyOptions, smallModel, special } from './golden.js';
import { spanLogits, spanLogprob } from './reference.js';

const fill = suite('generate: fill');

for (const { name, missing, options } of modelDevices) {
  cases.greedy.forEach((golden, number) => {
    const title = `greedy case ${number} of the original: tokens, log-probabilities, logits on ${name}`;
    if (missing !== undefined) fill.skip(`${title}: ${missing}`);
    else fill(title, () => greedyCase(golden, options));
  });
}

async function greedyCase(golden: GreedyCase, options: DeviceOptions): Promise<void> {
  using model = await smallModel(options);
  const { blanks, hypotheses } = await model.fill(Int32Array.from(golden.context), greedyOptions(golden));
  assert.is(hypotheses, undefined);
  assert.is(blanks.length, golden.blanks.length);
  const logits = await spanLogits(model, golden.context, blanks, special);
  golden.blanks.forEach((expected, i) => {
    const found = blanks[i]!;
    assert.is(found.index, expected.mask_position);
    assert.is(found.mask, 'mask');
    assert.equal([...found.ids], expected.ids);
    assert.is(found.finished, expected.finished);
    assert.ok(close(found.logprob, expected.logprob), `${found.logprob}, expected ${expected.logprob}`);
    expected.first12_logits.forEach((row, step) => {
      row.forEach((logit, j) => assert.ok(close(logits[i]![step]![j]!, logit), `logit ${j} of step ${step}`));
    });
  });
}

cases.beam.forEach((golden, number) => {
  fill(`beam case ${number} of the original: hypotheses and scores`, async () => {
    using model = await smallModel();
    const { blanks, hypotheses } = await model.fill(Int32Array.from(golden.context), {
      beams: golden.num_beams,
      maxTokens: golden.max_tokens,
      minTokens: golden.min_tokens,
      lengthPenalty: golden.length_penalty,
      special,
    });
    assert.is(hypotheses!.length, golden.hypotheses.length);
    golden.hypotheses.forEach((expected, i) => {
      const found = hypotheses![i]!;
      assert.equal([...found.ids], expected.ids);
      assert.is(found.finished, expected.finished);
      assert.ok(close(found.logprob, expected.logprob), `${found.logprob}, expected ${expected.logprob}`);
      assert.ok(close(found.score, expected.score), `${found.score}, expected ${expected.score}`);
    });
    assert.equal([...blanks[0]!.ids], golden.hypotheses[0]!.ids);
  });
});

fill('beams of several blanks: what is cached is what a whole pass computes', async () => {
  using model = await smallModel();
  for (const { context, blanks: masks } of cases.greedy.slice(1, 5)) {
    for (const maxTokens of [2, 5]) {
      const { blanks } = await model.fill(Int32Array.from(context), { beams: 3, maxTokens, special });
      assert.is(blanks.length, masks.length);
      const logits = await spanLogits(model, context, blanks, special);
      blanks.forEach(({ ids, logprob, finished }, i) => {
        const expected = spanLogprob(logits[i]!, ids, finished ? special.eop : undefined);
        assert.ok(close(logprob, expected), `blank ${i}: ${logprob}, expected ${expected}`);
      });
    }
  }
});

const variants = [
  { position_encoding: 'learned', dtype: 'float32', tolerance: 1e-4 },
  { position_encoding: 'rotary', dtype: 'float32', tolerance: 1e-4 },
  { position_encoding: 'rotary', dtype: 'bfloat16', tolerance: 0.05 },
] as const;

for (const { name, missing, options } of testDevices) {
  for (const { position_encoding, dtype, tolerance } of variants) {
    const title = `ragged texts, cached and together, are the texts in one pass alone: ${name}, ${position_encoding}, ${dtype}`;
    if (missing !== undefined) fill.skip(`${title}: ${missing}`);
    else fill(title, () => raggedTexts({ ...options, dtype }, position_encoding, tolerance));
  }
}

/** Head width 24, which is no whole number of vectors; contexts of more and less than a chunk of keys. */
async function raggedTexts(
  options: DeviceOptions,
  position_encoding: 'learned' | 'rotary',
  tolerance: number,
) {
  const config = {
    num_layers: 3,
    hidden_size: 72,
    num_attention_heads: 3,
    vocab_size: 211,
    max_sequence_length: 400,
  };
  using model = await GLM.create(
    { ...config, position_encoding, initializer_range: 0.1 },
    { ...options, seed: 5 },
  );
  const lengths = [300, 7, 131, 2, 64];
  const inputs = lengths.map((length, n) =>
    Int32Array.from({ length }, (_, i) => (i % 100 === 1 ? special.mask : 10 + ((i * 37 + n * 11) % 200))),
  );
  const results = await model.fill(inputs, { maxTokens: 20, minTokens: 6, noRepeatNgram: 2, special });
  for (const [n, { blanks }] of results.entries()) {
    assert.is(blanks.length, Math.ceil((lengths[n]! - 1) / 100));
    const logits = await spanLogits(model, inputs[n]!, blanks, special);
    blanks.forEach(({ ids, logprob, finished }, i) => {
      assert.ok(ids.length >= 6);
      const last = finished ? [special.eop, special.eos!] : [undefined];
      const differences = last.map((end) => Math.abs(logprob - spanLogprob(logits[i]!, ids, end)));
      assert.ok(
        Math.min(...differences) <= tolerance * ids.length,
        `text ${n}, blank ${i}: off by ${differences.join()}`,
      );
    });
  }
}

for (const { name, missing, options } of modelDevices) {
  const title = `a text that grows past the 256 keys of a recorded step is one in one pass: ${name}`;
  if (missing !== undefined) fill.skip(`${title}: ${missing}`);
  else fill(title, () => growingText(options));
}

async function growingText(options: DeviceOptions): Promise<void> {
  const config = { num_layers: 2, hidden_size: 32, num_attention_heads: 2, vocab_size: 211 };
  using model = await GLM.create(
    { ...config, max_sequence_length: 300, initializer_range: 0.1 },
    { ...options, seed: 5 },
  );
  const input = Int32Array.from({ length: 246 }, (_, i) => (i === 9 ? special.mask : 10 + ((i * 37) % 200)));
  const { blanks } = await model.fill(input, { maxTokens: 20, minTokens: 20, special });
  const [logits] = await spanLogits(model, input, blanks, special);
  blanks[0]!.ids.forEach((id, i) => {
    const row = logits![i]!;
    const allowed = row.filter((_, other) => other !== special.eop && other !== special.eos);
    assert.ok(row[id]! >= allowed.reduce((x, y) => Math.max(x, y)) - 1e-4, `token ${i}`);
  });
  assert.ok(close(blanks[0]!.logprob, spanLogprob(logits!, blanks[0]!.ids)));
}

fill('ids have each mask replaced', async () => {
  using model = await smallModel();
  const { context, blanks } = cases.greedy[2]!;
  const result = await model.fill(Int32Array.from(context), { maxTokens: 8, special });
  const expected = context.flatMap((id, i) => blanks.find((blank) => blank.mask_position === i)?.ids ?? [id]);
  assert.equal([...result.ids], expected);
  assert.is(result.text, '', 'there is no tokenizer');
});

fill('an array of inputs gives what each gives alone, whoever asks', async () => {
  using model = await smallModel();
  const wanted = cases.greedy.filter((golden) => golden.max_tokens === 8);
  const inputs = wanted.map(({ context }) => Int32Array.from(context));
  const options = { maxTokens: 8, special };
  const [together, alone, ...calls] = await Promise.all([
    model.fill(inputs, options),
    model.fill(inputs, { ...options, batching: false }),
    ...inputs.map((input) => model.fill(input, options)),
  ]);
  wanted.forEach(({ blanks }, i) => {
    for (const result of [together[i]!, alone[i]!, calls[i]!]) {
      assert.equal(
        result.blanks.map(({ ids }) => [...ids]),
        blanks.map(({ ids }) => ids),
      );
    }
  });
  assert.equal(await model.fill([], options), []);
});

fill('of many texts few have caches at a time, alone or together', async () => {
  using model = await smallModel();
  const { device } = model.network;
  const peakOf = async (texts: number, batching: boolean) => {
    const inputs = Array.from({ length: texts }, () => new Int32Array(90).fill(7).fill(special.mask, 40, 41));
    await device.synchronize();
    device.resetPeak();
    await model.fill(inputs, { maxTokens: 3, minTokens: 3, batching, special });
    return device.memory().peak;
  };
  const [together, manyTogether] = [await peakOf(64, true), await peakOf(512, true)];
  assert.ok(manyTogether < 1.1 * together, `${together} bytes for 64 texts, ${manyTogether} for 512`);
  const [alone, manyAlone] = [await peakOf(1, false), await peakOf(32, false)];
  assert.ok(manyAlone < 1.1 * alone, `${alone} bytes for one text, ${manyAlone} for 32`);
});

fill.run();
