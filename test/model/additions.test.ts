/** What is added to a pretrained model: adapters; frozen weights, saving apart, merging. */

import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import { Trainer } from '../../ts/train/trainer.js';
import type { TrainerOptions } from '../../ts/train/options.js';
import { checkGradients } from '../support/check-gradients.js';
import { failsWith } from '../support/fails-with.js';
import { withFolder } from '../support/folder.js';
import { checkResume, data, lossesOf, newModel, runOptions, weightsOf } from '../support/small-run.js';

const additions = suite('model: additions');
const device = { device: 'cpu', threads: 2 } as const;

async function save(folder: string): Promise<string> {
  using model = await newModel();
  await model.save(folder);
  return folder;
}

additions('adapters: nothing changes at first, and the gradient is the finite difference', () =>
  withFolder(async (folder) => {
    using plain = await newModel();
    using model = await GLM.load(await save(folder), { ...device, config: { lora_rank: 3 } });
    const [batch] = await data(0);
    const before = await plain.loss(batch!);
    assert.ok(Math.abs((await model.loss(batch!)).loss - before.loss) < 1e-6);
    for (const [name, { shape }] of model.parameters()) {
      if (!name.endsWith('.lora_b')) continue;
      const values = Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => 0.1 * Math.sin(i));
      model.network.parameters.exact(name).write(values);
    }
    await checkGradients(model, batch!, (name) => /\.lora_[ab]$/.test(name));
  }),
);

async function trained(model: GLM, more: Partial<TrainerOptions>): Promise<void> {
  using trainer = new Trainer(model, { ...runOptions(undefined, 6), ...more });
  await lossesOf(trainer);
}

additions('a frozen model: adapters learn, and the tuned layers; all else keeps its bits', () =>
  withFolder(async (folder) => {
    using model = await GLM.load(await save(folder), { ...device, config: { lora_rank: 2 } });
    const before = await weightsOf(model);
    await trained(model, { freeze: true, tuneLayers: 1 });
    for (const [name, values] of await weightsOf(model)) {
      const learns = name.includes('lora_') || name.startsWith('transformer.layers.0.');
      assert.is(Buffer.from(values.buffer).equals(Buffer.from(before.get(name)!.buffer)), !learns, name);
    }
    const { gradients } = await model.gradients((await data(0))[0]!);
    assert.ok(Math.hypot(...gradients.get('word_embeddings.weight')!) > 0, 'afterwards nothing is frozen');
  }),
);

additions('saved apart, loaded, and merged, a model gives the same losses', () =>
  withFolder(async (folder) => {
    const base = await save(path.join(folder, 'base'));
    using model = await GLM.load(base, { ...device, config: { lora_rank: 2 }, seed: 4 });
    await trained(model, { freeze: true, optimizer: { learningRate: 1e-2 } });
    const [batch] = await data(0);
    const { loss } = await model.loss(batch!);
    await model.saveAdapter(path.join(folder, 'adapter'));

    using loaded = await GLM.load(base, { ...device, adapter: path.join(folder, 'adapter') });
    assert.equal(loaded.config, model.config);
    assert.is((await loaded.loss(batch!)).loss, loss);

    await loaded.mergeAdapters();
    assert.not(
      [...loaded.parameters().keys()].some((name) => name.includes('lora')),
      'there are no adapters left',
    );
    const merged = (await loaded.loss(batch!)).loss;
    assert.ok(Math.abs(merged - loss) < 2e-6 * loss, `${merged}, unmerged ${loss}`);
    using without = await GLM.load(base, device);
    assert.ok(Math.abs((await without.loss(batch!)).loss - loss) > 1e-3 * loss, 'the adapters matter');

    await loaded.save(path.join(folder, 'merged'));
    using again = await GLM.load(path.join(folder, 'merged'), device);
    assert.is((await again.loss(batch!)).loss, merged);
  }),
);

additions('an interrupted run with additions goes on to the bit', () =>
  withFolder(async (folder) => {
    const base = await save(path.join(folder, 'base'));
    const load = () => GLM.load(base, { ...device, config: { lora_rank: 2 } });
    await checkResume(path.join(folder, 'run'), load, { freeze: true });
  }),
);

additions('what cannot be is refused', async () => {
  using model = await newModel();
  const trainer = (options: Partial<TrainerOptions>) => async () =>
    new Trainer(model, { ...runOptions(undefined, 1), ...options });
  await failsWith('GLM_INVALID_ARGUMENT', /something that learns/, trainer({ freeze: true }));
  await failsWith('GLM_INVALID_ARGUMENT', /expected freeze with tuneLayers/, trainer({ tuneLayers: 1 }));
  await failsWith('GLM_INVALID_ARGUMENT', /at most the model's 2 layers/, trainer({ freeze: true, tuneLayers: 3 })); // prettier-ignore
  await failsWith('GLM_INVALID_ARGUMENT', /model with prompts or adapters/, () =>
    model.saveAdapter('nowhere'),
  );
});

additions.run();
