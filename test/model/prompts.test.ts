/** Trained prompts: what their encoders compute, their gradients, learning them, saving them apart, resuming. */

import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { Batch } from '../../ts/data/batch.js';
import { GLM } from '../../ts/glm.js';
import type { GlmConfig } from '../../ts/model/config.js';
import { encodePrompts } from '../../ts/model/prompt-encoder.js';
import { beginAsWords } from '../../ts/model/prompt-words.js';
import { record } from '../../ts/tensor/scope.js';
import { Trainer } from '../../ts/train/trainer.js';
import { checkGradients } from '../support/check-gradients.js';
import { modelDevices } from '../support/devices.js';
import { failsWith } from '../support/fails-with.js';
import { withFolder } from '../support/folder.js';
import { goldenJson } from '../support/golden.js';
import {
  checkResume,
  config,
  data,
  lossesOf,
  newModel,
  runOptions,
  weightsOf,
} from '../support/small-run.js';
import { disposing } from '../support/tensors.js';

const test = suite('model: prompts');
const device = { device: 'cpu', threads: 2 } as const;
const encoders = ['lstm', 'mlp', 'none'] as const;

/** Two encoders in float64, `torch.nn.LSTM` and `torch.nn.Linear` of PyTorch 2.13, with the gradients of Σ prompts ∘ gradientOfPrompts. */
interface Golden {
  spell_length: number;
  hidden_size: number;
  gradientOfPrompts: number[];
  encoders: Record<
    'lstm' | 'mlp',
    { parameters: Record<string, { values: number[]; gradient: number[] }>; prompts: number[] }
  >;
}

for (const { name, missing, options } of modelDevices) {
  if (missing !== undefined) {
    test.skip(`prompts on ${name}: ${missing}`);
    continue;
  }
  test(`prompts and every gradient of their encoders are PyTorch's, on ${name}`, async () => {
    const golden = goldenJson<Golden>('prompt_encoder.json');
    const { spell_length, hidden_size, gradientOfPrompts } = golden;
    for (const [spell_func, expected] of Object.entries(golden.encoders)) {
      const sizes = { ...config, hidden_size, num_layers: 1, spell_length };
      using model = await GLM.create({ ...sizes, spell_func: spell_func as 'lstm' }, options);
      const { parameters, device } = model.network;
      const wanted = Object.entries(expected.parameters).map(
        ([name, values]) => ({ tensor: parameters.get(`prompt_spell.${name}`), name, ...values }) as const,
      );
      const own = [...model.parameters().keys()].filter((name) => name.startsWith('prompt_spell.'));
      assert.equal(own.sort(), wanted.map((one) => `prompt_spell.${one.name}`).sort());
      for (const { tensor, values } of wanted) tensor.write(Float32Array.from(values));
      const pending = disposing(device, () =>
        record(device, () => {
          const prompts = encodePrompts(model.network);
          const gradient = Float32Array.from(gradientOfPrompts);
          const result = prompts.read();
          device.backward(prompts, device.tensor(prompts.shape, 'float32', gradient, false));
          return [result, ...wanted.map(({ tensor }) => tensor.readGradient())];
        }),
      );
      const [prompts, ...gradients] = await Promise.all(pending);
      close(`${spell_func}: prompts`, prompts as Float32Array, expected.prompts);
      wanted.forEach(({ name, gradient }, i) =>
        close(`${spell_func}: ${name}`, gradients[i] as Float32Array, gradient),
      );
    }
  });
}

/** Within a few roundings of the largest. */
function close(name: string, found: Float32Array, expected: readonly number[]): void {
  const allowed = 5e-7 * Math.max(...expected.map(Math.abs));
  found.forEach((value, i) =>
    assert.ok(
      Math.abs(value - expected[i]!) <= allowed,
      `${name}[${i}]: ${value}, expected ${expected[i]} within ${allowed}`,
    ),
  );
}

/** A batch whose first tokens behind the [CLS] are prompts. */
async function promptedBatch(prompts: number): Promise<Batch> {
  const [batch] = await data(0);
  const ids = batch!.ids.slice();
  for (const begin of batch!.offsets.subarray(0, -1))
    for (let i = 0; i < prompts; i++) ids[begin + 1 + i] = config.vocab_size + i;
  return { ...batch!, ids };
}

for (const spell_func of encoders) {
  test(`${spell_func}: the loss follows the gradients`, async () => {
    const sizes = { ...config, initializer_range: 0.2, spell_length: 3, spell_func };
    using model = await GLM.create(sizes, { ...device, seed: 1 });
    await checkGradients(model, await promptedBatch(3), (name) => name.startsWith('prompt_spell.'), 0.02);
  });
}

test('a prompt stands in the text as a word would that has its embedding', async () => {
  using model = await GLM.create({ ...config, spell_length: 2, spell_func: 'none' }, { ...device, seed: 1 });
  const words = await model.readParameter('word_embeddings.weight');
  const h = config.hidden_size;
  const rows = new Float32Array([...words.subarray(20 * h, 21 * h), ...words.subarray(77 * h, 78 * h)]);
  model.network.parameters.exact('prompt_spell.spell_embeddings.weight').write(rows);
  const batch = await promptedBatch(2);
  const asWords = batch.ids.map((id) => ({ [config.vocab_size]: 20, [config.vocab_size + 1]: 77 })[id] ?? id);
  assert.is((await model.loss(batch)).loss, (await model.loss({ ...batch, ids: asWords })).loss);
});

test('in bfloat16 the prompts have nearly the gradients of float32', async () => {
  const batch = await promptedBatch(3);
  const gradients = [];
  for (const dtype of ['float32', 'bfloat16'] as const) {
    using model = await GLM.create({ ...config, spell_length: 3 }, { ...device, dtype, seed: 1 });
    const found = await model.gradients(batch);
    gradients.push(found.gradients.get('prompt_spell.spell_embeddings.weight')!);
  }
  const [exact, rounded] = gradients as [Float32Array, Float32Array];
  const off = Math.hypot(...exact.map((value, i) => value - rounded[i]!)) / Math.hypot(...exact);
  assert.ok(off > 0 && off < 0.05, String(off));
});

test('no prompt beyond the last, none where the model has none, none as a target', async () => {
  using prompted = await GLM.create({ ...config, spell_length: 2, spell_func: 'mlp' }, device);
  await failsWith('GLM_INVALID_ARGUMENT', /expected ids.* \[0, 130\)/, async () =>
    prompted.loss(await promptedBatch(3)),
  );
  const targets = (await data(0))[0]!.targets!.map(() => config.vocab_size);
  await failsWith('GLM_INVALID_ARGUMENT', /expected targets.* \[0, 128\)/, async () =>
    prompted.loss({ ...(await promptedBatch(2)), targets }),
  );
  using plain = await newModel();
  await failsWith('GLM_INVALID_ARGUMENT', /expected ids.* \[0, 128\)/, async () =>
    plain.loss(await promptedBatch(1)),
  );
});

test('what no configuration can be is refused', async () => {
  const refused = (wrong: Partial<Record<keyof GlmConfig, unknown>>, message: RegExp) =>
    failsWith('GLM_INVALID_ARGUMENT', message, () =>
      GLM.create({ ...config, ...wrong } as GlmConfig, device),
    );
  await refused({ spell_length: 63 }, /expected spell_length to be an integer from 1 to 62, found 63/);
  await refused({ spell_length: 0 }, /expected spell_length/);
  await refused(
    { spell_length: 4, spell_func: 'gru' },
    /expected spell_func to be "lstm" or "mlp" or "none"/,
  );
});

async function saveNew(folder: string): Promise<string> {
  using model = await newModel();
  await model.save(folder);
  return folder;
}

const prompted = async () => [await promptedBatch(2)];

for (const spell_func of encoders) {
  test(`${spell_func}: before a frozen model the prompts learn, and are saved apart and together`, () =>
    withFolder(async (folder) => {
      const base = await saveNew(path.join(folder, 'base'));
      const added = { spell_length: 2, spell_func };
      using model = await GLM.load(base, { ...device, config: added, seed: 4 });
      const before = await weightsOf(model);
      const options = { data: prompted, dropout: 0, optimizer: { learningRate: 5e-2 } };
      {
        using trainer = new Trainer(model, { ...runOptions(undefined, 12), ...options, freeze: true });
        const losses = [...(await lossesOf(trainer)).values()];
        assert.ok(losses.at(-1)! < losses[0]!, losses.join());
      }
      for (const [name, values] of await weightsOf(model)) {
        const same = Buffer.from(values.buffer).equals(Buffer.from(before.get(name)!.buffer));
        assert.is(same, !name.startsWith('prompt_spell.'), name);
      }
      const batch = await promptedBatch(2);
      const { loss } = await model.loss(batch);
      await model.saveAdapter(path.join(folder, 'adapter'));
      await model.save(path.join(folder, 'whole'));
      using apart = await GLM.load(base, { ...device, adapter: path.join(folder, 'adapter') });
      using together = await GLM.load(path.join(folder, 'whole'), device);
      for (const loaded of [apart, together]) {
        assert.equal(loaded.config, model.config);
        assert.is((await loaded.loss(batch)).loss, loss);
      }
      const other = { ...device, adapter: path.join(folder, 'adapter'), config: { spell_length: 5 } };
      await failsWith(
        'GLM_CHECKPOINT_FORMAT',
        /spell_embeddings.weight to be \[5, 32\].* found \[2, 32\]/,
        () => GLM.load(base, other),
      );
    }));
}

test('an adapter of another width, and prompts that config.json has and no file, are errors', () =>
  withFolder(async (folder) => {
    const base = await saveNew(path.join(folder, 'base'));
    using wide = await GLM.create({ ...config, hidden_size: 64, spell_length: 2 }, device);
    await wide.saveAdapter(path.join(folder, 'wide'));
    await failsWith(
      'GLM_CHECKPOINT_FORMAT',
      /spell_embeddings.weight to be \[2, 32\].* found \[2, 64\]/,
      () => GLM.load(base, { ...device, adapter: path.join(folder, 'wide') }),
    );
    using model = await newModel();
    Object.assign(model.network, { config: { ...model.config, spell_length: 2, spell_func: 'none' } });
    await model.save(base);
    await failsWith('GLM_MISSING_WEIGHTS', /prompt_spell.spell_embeddings.weight/, () =>
      GLM.load(base, device),
    );
  }));

for (const spell_func of ['lstm', 'none'] as const) {
  test(`${spell_func}: an interrupted run goes on to the bit`, () =>
    withFolder(async (folder) => {
      const base = await saveNew(path.join(folder, 'base'));
      const load = () => GLM.load(base, { ...device, config: { spell_length: 2, spell_func } });
      await checkResume(path.join(folder, 'run'), load, { data: prompted, freeze: true, tuneLayers: 1 });
    }));
}

test('prompts may begin as mixtures of a frequent word and a word of the task', async () => {
  const sizes = { ...config, spell_length: 4, spell_func: 'none' } as const;
  using model = await GLM.create(sizes, device);
  const h = config.hidden_size;
  const words = await model.readParameter('word_embeddings.weight');
  const row = (values: Float32Array, i: number) => Array.from(values.subarray(i * h, (i + 1) * h));
  const name = 'prompt_spell.spell_embeddings.weight';
  await beginAsWords(model.network, Int32Array.of(7), 3);
  const prompts = await model.readParameter(name);
  const ofTask = row(words, 7);
  for (let p = 0; p < 4; p++) {
    const prompt = row(prompts, p);
    const isMixture = Array.from({ length: config.vocab_size }, (_, word) => row(words, word)).some(
      (frequent) => {
        // The ratio that one column says, of which all others have to be right too.
        const ratio = (prompt[0]! - ofTask[0]!) / (frequent[0]! - ofTask[0]!);
        const mixed = frequent.map((value, j) => ratio * value + (1 - ratio) * ofTask[j]!);
        return ratio >= 0 && ratio <= 1 && mixed.every((value, j) => Math.abs(value - prompt[j]!) < 1e-6);
      },
    );
    assert.ok(isMixture, `prompt ${p}`);
  }
  await beginAsWords(model.network, Int32Array.of(7), 3);
  assert.equal(await model.readParameter(name), prompts, 'the same of the same seed');
  await beginAsWords(model.network, Int32Array.of(7), 4);
  assert.not.equal(await model.readParameter(name), prompts);
});

test.run();
