/** `stream`: what `fill` gives, token by token, in whole characters, and it stops when nobody wants more. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { GLM } from '../../ts/glm.js';
import type { FillOptions } from '../../ts/generate/options.js';
import type { StreamChunk } from '../../ts/generate/stream.js';
import { cases, close, smallModel, special } from './golden.js';
import { textModel } from './text-model.js';

const stream = suite('generate: stream');

async function collect(chunks: AsyncIterable<StreamChunk>): Promise<StreamChunk[]> {
  const all: StreamChunk[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

/** Streams, fills, and checks that they agree. */
async function agree(model: GLM, input: string | Int32Array, options: FillOptions): Promise<StreamChunk[]> {
  const [chunks, { blanks }] = await Promise.all([
    collect(model.stream(input, options)),
    model.fill(input, options),
  ]);
  blanks.forEach((blank, b) => {
    const own = chunks.filter((chunk) => chunk.blank === b);
    assert.equal(
      own.map(({ id }) => id),
      [...blank.ids],
    );
    assert.is(own.map(({ text }) => text).join(''), blank.text);
    const sum = own.reduce((total, { logprob }) => total + logprob, 0);
    if (!blank.finished) assert.ok(close(sum, blank.logprob));
    else assert.ok(sum >= blank.logprob - 1e-4, 'end-of-piece has no chunk');
  });
  return chunks;
}

stream('equals fill: several blanks of token ids', async () => {
  using model = await smallModel();
  for (const { context } of cases.greedy) {
    await agree(model, Int32Array.from(context), { maxTokens: 7, special });
    await agree(model, Int32Array.from(context), { maxTokens: 7, temperature: 2, seed: 4, special });
  }
});

for (const type of ['bpe', 'wordpiece'] as const) {
  stream(`equals fill in whole characters: ${type}`, async () => {
    using model = await textModel(type);
    let late = 0;
    for (let seed = 0; seed < 12; seed++) {
      const options = { temperature: 4, seed, maxTokens: 40, minTokens: 40 };
      const chunks = await agree(model, 'The [MASK] was gone. 河 [MASK]', options);
      late += chunks.filter(({ text }) => text === '').length;
      const whole = chunks.map(({ text }) => text).join('');
      for (const { text } of chunks) assert.ok(!/[\ud800-\udbff]$/.test(text), 'half of a surrogate pair');
      assert.ok(whole.length > 0);
    }
    if (type === 'bpe') assert.ok(late > 0, 'some tokens are parts of characters');
  });
}

stream('equals fill with stop texts, which are never written', async () => {
  using model = await textModel('bpe');
  const options = { temperature: 3, seed: 1, maxTokens: 60, minTokens: 60 };
  const { blanks } = await model.fill('The [MASK]', options);
  const text = blanks[0]!.text;
  let stopped = 0;
  for (const length of [1, 2, 3]) {
    const stop = text.slice(20, 20 + length);
    for (const minTokens of [0, 10]) {
      const chunks = await agree(model, 'The [MASK]', {
        ...options,
        minTokens,
        stop: [stop, 'never written'],
      });
      const written = chunks.map((chunk) => chunk.text).join('');
      assert.ok(!written.includes(stop));
      if (chunks.length < 60) stopped++;
    }
  }
  assert.ok(stopped > 0);
});

stream('leaving the loop stops the work and frees the cache', async () => {
  using model = await smallModel();
  const { device } = model.network;
  await model.fill(Int32Array.from(cases.greedy[5]!.context), { maxTokens: 2, special });
  const before = device.memory().inUse;
  for (let i = 0; i < 20; i++) {
    for await (const chunk of model.stream(Int32Array.from(cases.greedy[5]!.context), {
      maxTokens: 80,
      minTokens: 80,
      special,
    })) {
      if (chunk.id >= 0) break;
    }
  }
  await device.synchronize();
  assert.is(device.memory().inUse, before);
});

stream('a reader who stays away is waited for', async () => {
  using model = await smallModel();
  const context = Int32Array.from(cases.greedy[5]!.context);
  const reader = model.stream(context, { maxTokens: 90, minTokens: 90, special });
  await reader.next();
  await new Promise((resolve) => setTimeout(resolve, 150));
  const others = await model.fill(context, { maxTokens: 20, special });
  assert.is(others.blanks.length, 2);
  // It has not run ahead: an aborted copy of the scheduler's state would show in what is in use.
  const rest = await collect(reader);
  assert.is(rest.length, 2 * 90 - 1);
});

stream('parameters that get other tensors under way count from the next step on', async () => {
  using model = await smallModel();
  const { device, config, parameters } = model.network;
  const input = Int32Array.from(cases.greedy[0]!.context);
  const options = { maxTokens: 40, minTokens: 40, special };
  const beside = model.fill(input, options); // while it runs, recorded steps are kept
  const logprobs: number[] = [];
  for await (const { logprob } of model.stream(input, options)) {
    if (logprobs.push(logprob) !== 5) continue;
    const name = 'word_embeddings.weight';
    parameters.replace(name, device.tensor(parameters.get(name).shape, 'float32', null, false));
  }
  await beside;
  // Without words all tokens are as likely.
  assert.ok(close(logprobs.at(-1)!, -Math.log(config.vocab_size)), `${logprobs.at(-1)}`);
  assert.not.ok(close(logprobs[0]!, logprobs.at(-1)!));
});

stream('abort: rejects with the reason, or ends', async () => {
  using model = await smallModel();
  const context = Int32Array.from(cases.greedy[5]!.context);
  const reason = new Error('enough');
  for (const onAbort of ['throw', 'return'] as const) {
    const controller = new AbortController();
    const seen: StreamChunk[] = [];
    let error: unknown;
    try {
      for await (const chunk of model.stream(context, {
        maxTokens: 90,
        minTokens: 90,
        special,
        signal: controller.signal,
        onAbort,
      })) {
        seen.push(chunk);
        if (seen.length === 3) controller.abort(reason);
      }
    } catch (caught) {
      error = caught;
    }
    assert.is(error, onAbort === 'throw' ? reason : undefined);
    assert.ok(seen.length >= 3 && seen.length < 30, `${seen.length} chunks`);
  }
  assert.is((await model.fill(context, { maxTokens: 3, special })).blanks.length, 2, 'the model is usable');
});

stream('bad input: a GlmError at the first chunk', async () => {
  using model = await smallModel();
  const context = Int32Array.from(cases.greedy[5]!.context);
  const codeOf = (input: Int32Array, options: FillOptions) =>
    model
      .stream(input, options)
      .next()
      .then(
        () => 'none',
        (error: { code: string }) => error.code,
      );
  assert.is(await codeOf(context, { beams: 2, special }), 'GLM_INVALID_ARGUMENT');
  assert.is(await codeOf(context, { special, unknown: 1 } as FillOptions), 'GLM_INVALID_ARGUMENT');
  assert.is(await codeOf(Int32Array.of(7, 8), { special }), 'GLM_NO_MASK');
});

stream.run();
