/** Weights stay in their file until something changes them, and never go back to it. */

import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import { Trainer } from '../../ts/train/trainer.js';
import { differing, tinyWeights, toWrite, writeModel } from '../support/checkpoint.js';
import { withFolder } from '../support/folder.js';
import { failsWith } from '../support/fails-with.js';

const test = suite('mapped weights');
const weights = tinyWeights();

const batch = {
  ids: Int32Array.of(1, 2, 3, 4, 5),
  positions: Int32Array.of(0, 1, 2, 3, 3),
  blockPositions: Int32Array.of(0, 0, 0, 1, 2),
  offsets: Int32Array.of(0, 5),
  contextLengths: Int32Array.of(3),
  targets: Int32Array.of(0, 0, 0, 6, 7),
  lossMask: Uint8Array.of(0, 0, 0, 1, 1),
};

async function checksum(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

for (const type of ['F32', 'BF16'] as const) {
  test(`${type}: no memory for weights; matrices keep their type`, () =>
    withFolder(async (folder) => {
      await writeModel(folder, toWrite(weights, '', type));
      const model = await GLM.load(folder, { device: 'cpu' });
      const vectors = [...weights.values()].filter(({ shape }) => shape.length === 1);
      const { inUse } = model.network.device.memory();
      assert.ok(type === 'F32' ? inUse === 0 : inUse <= vectors.length * 256, `${inUse} bytes`);
      const { dtype } = model.parameters().get('word_embeddings.weight')!;
      assert.is(dtype, type === 'F32' ? 'float32' : 'bfloat16');
      await rm(folder, { recursive: true });
      assert.equal(await differing(model, weights), []);
      model.dispose();
    }));

  test(`${type}: training changes the model, to the bit as one in memory, and not the file`, () =>
    withFolder(async (folder) => {
      const [given, copy] = [path.join(folder, 'given'), path.join(folder, 'copy')];
      await writeModel(given, toWrite(weights, '', type));
      await writeModel(copy, toWrite(weights, '', 'F16'));
      const before = await checksum(path.join(given, 'model.safetensors'));
      const losses: number[][] = [];
      for (const from of [given, copy]) {
        const model = await GLM.load(from, { device: 'cpu', threads: 2 });
        using trainer = new Trainer(model, {
          data: () => [batch],
          steps: 4,
          optimizer: { learningRate: 0.01 },
        });
        const found: number[] = [];
        for await (const event of trainer.run()) if (event.type === 'step') found.push(event.loss);
        losses.push(found);
        assert.ok((await differing(model, weights)).includes('word_embeddings.weight'));
        model.dispose();
      }
      assert.is(losses[0]!.length, 4);
      assert.equal(losses[0], losses[1]);
      assert.ok(losses[0]![3]! < losses[0]![0]!);
      assert.is(await checksum(path.join(given, 'model.safetensors')), before);
    }));

  test(`${type}: what was loaded is saved in the same bits`, () =>
    withFolder(async (folder) => {
      const again = path.join(folder, 'again');
      await writeModel(folder, toWrite(weights, '', type));
      const model = await GLM.load(folder, { device: 'cpu' });
      await model.save(again);
      await model.save(folder); // over the file that is in use
      assert.equal(await differing(model, weights), []);
      model.dispose();
      for (const place of [folder, again]) {
        const saved = await GLM.load(place, { device: 'cpu' });
        assert.equal(await differing(saved, weights), []);
        assert.is(
          saved.parameters().get('word_embeddings.weight')!.dtype,
          type === 'F32' ? 'float32' : 'bfloat16',
        );
        saved.dispose();
      }
    }));
}

test('an abort while loading rejects with its reason', () =>
  withFolder(async (folder) => {
    await writeModel(folder);
    const controller = new AbortController();
    const reason = new Error('enough');
    const loading = GLM.load(folder, {
      device: 'cpu',
      signal: controller.signal,
      onProgress: ({ loaded }) => loaded === 3 && controller.abort(reason),
    });
    await loading.then(
      () => assert.unreachable(),
      (error: unknown) => assert.is(error, reason),
    );
    await failsWith('GLM_INVALID_ARGUMENT', /options/, () =>
      GLM.load(folder, { made: 'up' } as unknown as { device: 'cpu' }),
    );
  }));

test.run();
