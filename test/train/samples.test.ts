/** Blanks filled at evaluations, and the examples that a run writes down. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GlmError } from '../../ts/errors.js';
import { GLM } from '../../ts/glm.js';
import type { SamplesEvent } from '../../ts/train/events.js';
import type { DescribedExample } from '../../ts/train/examples.js';
import { Trainer } from '../../ts/train/trainer.js';
import { Tokenizer } from '../../ts/text/tokenizer.js';
import { makeTokenizer } from '../data/corpus-fixtures.js';
import { withFolder } from '../support/folder.js';
import { config, data, lossesOf, newModel, runOptions } from '../support/small-run.js';

const samples = suite('training: samples and examples');
const prompts = ['the other [MASK] in', 'a sin'];
const steps = 6;

async function modelWith(tokenizer: Tokenizer): Promise<GLM> {
  const vocab_size = Math.max(config.vocab_size, tokenizer.vocabSize);
  return GLM.create({ ...config, vocab_size }, { device: 'cpu', threads: 2, seed: 9, tokenizer });
}

async function samplesOf(trainer: Trainer): Promise<SamplesEvent[]> {
  const found: SamplesEvent[] = [];
  for await (const event of trainer.run()) if (event.type === 'samples') found.push(event);
  return found;
}

samples(
  'filled before the first step and at each evaluation, as fill() does, and without changing the run',
  () =>
    withFolder(async (folder) => {
      const tokenizer = await makeTokenizer(folder);
      using model = await modelWith(tokenizer);
      using trainer = new Trainer(model, {
        ...runOptions(undefined, steps),
        evaluateEvery: 3,
        samples: prompts,
      });
      const untrained = await model.fill(prompts, { maxTokens: 32 });
      const found = await samplesOf(trainer);
      assert.equal(
        found.map(({ step }) => step),
        [0, 3, 6],
      );
      const trained = await model.fill(prompts, { maxTokens: 32 });
      for (const [event, filled] of [[found[0]!, untrained] as const, [found[2]!, trained] as const]) {
        assert.equal(
          event.samples.map(({ prompt, text }) => [prompt, text]),
          filled.map(({ text }, i) => [prompts[i], text]),
        );
        assert.equal(
          event.samples.map(({ blanks }) => blanks.map(({ tokens }) => tokens)),
          filled.map(({ blanks }) => blanks.map(({ ids }) => ids.length)),
        );
      }
      using plainModel = await modelWith(tokenizer);
      using plain = new Trainer(plainModel, runOptions(undefined, steps));
      using sampledModel = await modelWith(tokenizer);
      using sampled = new Trainer(sampledModel, {
        ...runOptions(undefined, steps),
        evaluateEvery: 2,
        samples: prompts,
      });
      assert.equal([...(await lossesOf(sampled))], [...(await lossesOf(plain))]);
    }),
);

samples('a resumed run fills the same texts', () =>
  withFolder(async (folder) => {
    const tokenizer = await makeTokenizer(path.join(folder, 'tokenizer'));
    const options = { evaluateEvery: 3, samples: prompts };
    using whole = await modelWith(tokenizer);
    using uninterrupted = new Trainer(whole, { ...runOptions(undefined, steps), ...options });
    const expected = await samplesOf(uninterrupted);

    const run = path.join(folder, 'run');
    using model = await modelWith(tokenizer);
    using trainer = new Trainer(model, { ...runOptions(run, steps), ...options });
    for await (const event of trainer.run()) if (event.type === 'step' && event.step === 3) trainer.stop();
    const resumed = await Trainer.resume(run, { data });
    assert.equal(await samplesOf(resumed), expected.slice(2));
    resumed.dispose();
    resumed.model.dispose();
    const written = (await readFile(path.join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const events = written.map((line) => JSON.parse(line) as SamplesEvent);
    assert.equal(
      events.filter(({ type }) => type === 'samples'),
      expected,
    );
  }),
);

samples('without a tokenizer: GLM_INVALID_ARGUMENT', async () => {
  using model = await newModel();
  for (const wrong of [prompts, 'a [MASK]', [1]]) {
    try {
      new Trainer(model, { ...runOptions(undefined, 1), samples: wrong as string[] });
      assert.unreachable('expected an error');
    } catch (error) {
      assert.instance(error, GlmError);
      assert.is((error as GlmError).code, 'GLM_INVALID_ARGUMENT');
    }
  }
});

samples('examples.json: the shortest example of the first step, token by token', () =>
  withFolder(async (folder) => {
    using model = await newModel();
    using trainer = new Trainer(model, runOptions(folder, 1));
    await lossesOf(trainer);
    const [found, ...others] = JSON.parse(
      await readFile(path.join(folder, 'examples.json'), 'utf8'),
    ) as DescribedExample[];
    assert.is(others.length, 0);
    assert.is(found!.objective, 'blank');
    const batches = await data(0);
    const all = batches.flatMap((batch) =>
      Array.from(batch.contextLengths, (contextLength, i) => {
        const [begin, end] = [batch.offsets[i]!, batch.offsets[i + 1]!];
        const tokens = Array.from({ length: end - begin }, (_, t) => ({
          id: batch.ids[begin + t]!,
          piece: String(batch.ids[begin + t]),
          position: batch.positions[begin + t]!,
          blockPosition: batch.blockPositions[begin + t]!,
          ...(batch.lossMask![begin + t] === 1 && { target: String(batch.targets![begin + t]) }),
        }));
        return { objective: 'blank', contextLength, tokens };
      }),
    );
    const shortest = Math.min(...all.map(({ tokens }) => tokens.length));
    assert.equal(
      found,
      all.find(({ tokens }) => tokens.length === shortest),
    );
  }),
);

samples.run();
