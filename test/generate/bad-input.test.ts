/** What can go wrong with `fill`: each is a `GlmError` with its code, and the model goes on. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GlmError } from '../../ts/errors.js';
import type { FillOptions } from '../../ts/generate/options.js';
import { GLM } from '../../ts/glm.js';
import { cases, smallModel, special } from './golden.js';
import { textModel } from './text-model.js';

const bad = suite('generate: bad input');
const context = Int32Array.from(cases.greedy[0]!.context);
const twoBlanks = Int32Array.from(cases.greedy[1]!.context);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (error instanceof GlmError ? error.code : String(error)),
  );
}

for (const options of [
  { unknown: 1 },
  { maxTokens: 0 },
  { maxTokens: 1.5 },
  { minTokens: -1 },
  { minTokens: 5, maxTokens: 4 },
  { temperature: -1 },
  { temperature: NaN },
  { topK: 3 },
  { topP: 0.5 },
  { temperature: 1, topP: 0 },
  { temperature: 1, topP: 1.1 },
  { temperature: 1, topK: 0 },
  { beams: 0 },
  { beams: 1000 },
  { beams: 2, temperature: 1 },
  { lengthPenalty: Infinity },
  { noRepeatNgram: -1 },
  { seed: -1 },
  { seed: 0.5 },
  { stop: 'a' }, // there is no tokenizer
  { suppress: [60] },
  { suppress: 3 },
  { signal: {} },
  { onAbort: 'ignore' },
  { batching: 'no' },
  { special: undefined },
  { special: { mask: 3 } },
  { special: { ...special, eop: 60 } },
  { suppress: Array.from({ length: 60 }, (_, id) => id) },
]) {
  bad(`options ${JSON.stringify(options)?.slice(0, 60)}`, async () => {
    using model = await smallModel();
    const all = { special, ...options } as unknown as FillOptions;
    assert.is(await codeOf(model.fill(context, all)), 'GLM_INVALID_ARGUMENT');
  });
}

bad('inputs', async () => {
  using model = await smallModel();
  const code = (input: unknown, options: FillOptions = { special }) =>
    codeOf(model.fill(input as Int32Array, options));
  assert.is(await code('a text'), 'GLM_INVALID_ARGUMENT');
  assert.is(await code(undefined), 'GLM_INVALID_ARGUMENT');
  assert.is(await code([1, 3]), 'GLM_INVALID_ARGUMENT');
  assert.is(await code(null), 'GLM_INVALID_ARGUMENT');
  assert.is(await code(Int32Array.of(1, 2)), 'GLM_NO_MASK');
  assert.is(await code(new Int32Array(0)), 'GLM_NO_MASK');
  assert.is(await code(Int32Array.of(1, 60, 3)), 'GLM_INVALID_ARGUMENT');
  assert.is(await code(Int32Array.of(1, -1, 3)), 'GLM_INVALID_ARGUMENT');
  assert.is(await code([context, Int32Array.of(1)]), 'GLM_NO_MASK');
});

bad('as many tokens as there are positions, and no more', async () => {
  using model = await smallModel();
  const full = new Int32Array(97).fill(7).fill(3, 40, 41);
  assert.is(await codeOf(model.fill(full, { maxTokens: 96, minTokens: 96, special })), 'none');
  assert.is(await codeOf(model.fill(full, { maxTokens: 97, special })), 'GLM_CONTEXT_LENGTH');
  assert.is(await codeOf(model.fill(new Int32Array(98).fill(3), { special })), 'GLM_CONTEXT_LENGTH');
  assert.is(await codeOf(model.fill(twoBlanks, { maxTokens: 95, minTokens: 95, special })), 'none');
  assert.is(await codeOf(model.fill(twoBlanks, { maxTokens: 96, special })), 'GLM_CONTEXT_LENGTH');
  assert.is(await codeOf(model.fill(twoBlanks, { minTokens: 200, special })), 'GLM_CONTEXT_LENGTH');
});

bad('weights that are not finite: GLM_NUMERIC', async () => {
  for (const value of [NaN, Infinity]) {
    using model = await smallModel();
    const words = model.network.parameters.get('word_embeddings.weight');
    const values = (await words.read()) as Float32Array;
    words.write(values.fill(value, 20 * 64, 21 * 64));
    const wide = Int32Array.of(1, 3, 21);
    assert.is(await codeOf(model.fill(wide, { special })), 'GLM_NUMERIC');
    assert.is(await codeOf(model.fill(wide, { special, temperature: 1 })), 'GLM_NUMERIC');
    assert.is(await codeOf(model.fill(wide, { special, beams: 3 })), 'GLM_NUMERIC');
    assert.is(await codeOf(model.score(wide, [Int32Array.of(7)], { special })), 'GLM_NUMERIC');
  }
});

bad('a model that is disposed with fills in flight: GLM_DISPOSED, for each of them', async () => {
  const model = await smallModel();
  const options = { maxTokens: 90, minTokens: 90, special };
  const fills = Array.from({ length: 8 }, (_, i) =>
    codeOf(model.fill([context, twoBlanks], { ...options, batching: i > 3 })),
  );
  const stream = model.stream(context, options);
  await stream.next();
  model.dispose();
  assert.equal(await Promise.all(fills), new Array(8).fill('GLM_DISPOSED'));
  const rest = (async () => {
    for await (const chunk of stream) void chunk;
  })();
  assert.is(await codeOf(rest), 'GLM_DISPOSED');
  assert.is(await codeOf(model.fill(context, options)), 'GLM_DISPOSED');
  assert.is(await codeOf(model.score(context, [context], { special })), 'GLM_DISPOSED');
  assert.is(await codeOf(model.stream(context, options).next()), 'GLM_DISPOSED');
});

bad('abort: rejects with the reason, or returns what there is', async () => {
  using model = await smallModel();
  const reason = new Error('enough');
  const long = { maxTokens: 95, minTokens: 95, special };
  const aborted = await model
    .fill(context, { ...long, signal: AbortSignal.abort(reason) })
    .catch((error: unknown) => error);
  assert.is(aborted, reason);

  const first = new AbortController();
  const failing = model.fill([context, twoBlanks], { ...long, signal: first.signal });
  setTimeout(() => first.abort(reason), 5);
  assert.is(await failing.catch((error: unknown) => error), reason);

  const second = new AbortController();
  const returning = model.fill([context, twoBlanks], { ...long, signal: second.signal, onAbort: 'return' });
  setTimeout(() => second.abort(reason), 5);
  const [one, two] = await returning;
  assert.is(two!.blanks.length, 2);
  assert.ok(two!.blanks[1]!.ids.length < 95 && !two!.blanks[1]!.finished);
  assert.ok(one!.ids.length >= context.length - 1);

  const none = await model.fill(context, { ...long, signal: AbortSignal.abort(), onAbort: 'return' });
  assert.is(none.blanks[0]!.ids.length, 0);
  assert.is((await model.fill(context, { maxTokens: 8, special })).blanks[0]!.finished, true);
  const before = model.network.device.memory().inUse;
  await model.fill(context, { maxTokens: 8, special });
  assert.is(model.network.device.memory().inUse, before, 'caches of aborted fills are free');
});

bad('one signal for many calls: all end, and node warns of nothing', async () => {
  using model = await smallModel();
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const controller = new AbortController();
  const options = { maxTokens: 95, minTokens: 95, signal: controller.signal, special };
  const fills = Array.from({ length: 30 }, () =>
    model.fill(context, options).catch((error: unknown) => error),
  );
  setTimeout(() => controller.abort('enough'), 5);
  assert.equal(await Promise.all(fills), new Array(30).fill('enough'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  assert.equal(warnings, []);
});

bad('a text without a blank is continued; a model that has none says so', async () => {
  using model = await textModel('bpe');
  const { blanks, text, ids } = await model.fill('Nobody in the village', { maxTokens: 5, minTokens: 5 });
  assert.equal(
    blanks.map(({ mask }) => mask),
    ['gmask'],
  );
  assert.ok(text.startsWith('Nobody in the village'));
  assert.is(text, `Nobody in the village${blanks[0]!.text}`);
  assert.is(ids[0], model.tokenizer!.special.cls);
});

bad('a head wider than a cache knows: GLM_INVALID_ARGUMENT', async () => {
  const config = {
    num_layers: 1,
    hidden_size: 512,
    num_attention_heads: 1,
    vocab_size: 60,
    max_sequence_length: 32,
  };
  using model = await GLM.create(config, { device: 'cpu' });
  assert.is(await codeOf(model.fill(Int32Array.of(1, 3), { special, maxTokens: 2 })), 'GLM_INVALID_ARGUMENT');
});

bad.run();
