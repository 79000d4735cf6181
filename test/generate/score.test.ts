/** `score`: the log-probabilities of choices, with each context encoded once. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GlmError } from '../../ts/errors.js';
import { cases, close, smallModel, special } from './golden.js';
import { spanLogits, spanLogprob } from './reference.js';
import { textModel } from './text-model.js';

const score = suite('generate: score');
const contexts = cases.greedy.map((golden) => Int32Array.from(golden.context));
const choices = [
  [47, 48, 11, 20],
  [47],
  [48, 11],
  [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
].map((ids) => Int32Array.from(ids));

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (error instanceof GlmError ? error.code : String(error)),
  );
}

score('is the sum over the tokens as a whole pass computes it, for one text and for many', async () => {
  using model = await smallModel();
  const together = await model.score(contexts, choices, { special });
  const withEnd = await model.score(contexts, choices, { special, endToken: true });
  const mean = await model.score(contexts, choices, { special, endToken: true, lengthPenalty: 1 });
  for (const [t, context] of contexts.entries()) {
    const alone = await model.score(context, choices, { special });
    assert.instance(alone, Float32Array);
    for (const [c, ids] of choices.entries()) {
      const index = context.indexOf(special.mask);
      const [rows] = await spanLogits(model, context, [{ index, ids }], special);
      const expected = spanLogprob(rows!, ids);
      assert.ok(close(alone[c]!, expected, 1e-4 * ids.length), `${alone[c]}, expected ${expected}`);
      assert.ok(close(together[t]![c]!, expected, 1e-4 * ids.length));
      const ended = spanLogprob(rows!, ids, special.eop);
      assert.ok(close(withEnd[t]![c]!, ended, 1e-4 * ids.length));
      assert.ok(close(mean[t]![c]!, ended / (ids.length + 1)));
    }
  }
});

score('takes a list for each text, and texts', async () => {
  using model = await textModel('bpe');
  const texts = ['The [MASK] rose.', 'Once upon a time', 'By [MASK] the [MASK] was gone'];
  const lists = [[' river', ' road'], [' there'], [' morning', ' night', ' evening']];
  const scores = await model.score(texts, lists);
  assert.equal(
    scores.map(({ length }) => length),
    [2, 1, 3],
  );
  for (const [i, text] of texts.entries()) {
    const alone = await model.score(text, lists[i]!);
    alone.forEach((value, c) => assert.ok(close(value, scores[i]![c]!)));
    const input = await model.tokenizer!.encodePrompt(text);
    const ids = await Promise.all(lists[i]!.map((choice) => model.tokenizer!.encode(choice)));
    (await model.score(input, ids)).forEach((value, c) => assert.ok(close(value, alone[c]!)));
  }
  await model.network.device.synchronize();
});

score('bad input: a GlmError that says which', async () => {
  using model = await smallModel();
  const [context] = contexts as [Int32Array];
  assert.is(await codeOf(model.score(context, [], { special })), 'GLM_INVALID_ARGUMENT');
  assert.is(await codeOf(model.score(context, [new Int32Array(0)], { special })), 'GLM_INVALID_ARGUMENT');
  assert.is(await codeOf(model.score(context, [Int32Array.of(60)], { special })), 'GLM_INVALID_ARGUMENT');
  assert.is(await codeOf(model.score(context, ['text'], { special })), 'GLM_INVALID_ARGUMENT');
  assert.is(await codeOf(model.score(context, choices)), 'GLM_INVALID_ARGUMENT', 'no special tokens');
  for (const wrong of [choices[0], [choices], 'text'] as unknown as Int32Array[][]) {
    assert.is(await codeOf(model.score(context, wrong, { special })), 'GLM_INVALID_ARGUMENT');
  }
  for (const lengthPenalty of ['1', NaN] as number[]) {
    assert.is(
      await codeOf(model.score(context, choices, { special, lengthPenalty })),
      'GLM_INVALID_ARGUMENT',
    );
  }
  assert.is(await codeOf(model.score([context], [choices, choices], { special })), 'GLM_INVALID_ARGUMENT');
  assert.is(await codeOf(model.score(Int32Array.of(1, 2), choices, { special })), 'GLM_NO_MASK');
  assert.is(
    await codeOf(model.score(context, [new Int32Array(97).fill(7)], { special })),
    'GLM_CONTEXT_LENGTH',
  );
  assert.is(await codeOf(model.score(context, [new Int32Array(96).fill(7)], { special })), 'none');
  const reason = new Error('enough');
  await model.score(context, choices, { special, signal: AbortSignal.abort(reason) }).then(
    () => assert.unreachable(),
    (error: unknown) => assert.is(error, reason),
  );
});

score.run();
