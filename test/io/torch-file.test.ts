/** Files that PyTorch 2.13 wrote: golden/torch-state.pt, and torch-legacy.pt in the format from before the archives. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { forNative, whole } from '../../ts/checkpoint/weight.js';
import { InputFile } from '../../ts/io/input-file.js';
import type { PickleValue } from '../../ts/io/pickle.js';
import { TorchFile, TorchTensor } from '../../ts/io/torch-file.js';
import { native } from '../../ts/native.js';
import { goldenJson, goldenPath } from '../support/golden.js';

const test = suite('files of torch.save');

type Dictionary = Map<PickleValue, PickleValue>;

async function open(
  name: string,
): Promise<{ torch: TorchFile; root: Dictionary; close: () => Promise<void> }> {
  const file = await InputFile.open(goldenPath(name));
  const torch = await TorchFile.open(file);
  return { torch, root: torch.root as Dictionary, close: () => file.close() };
}

for (const name of ['torch-state.pt', 'torch-legacy.pt']) {
  test(`${name}: every tensor, whatever its type and strides`, async () => {
    const { torch, root, close } = await open(name);
    const module = root.get('module') as Dictionary;
    for (const [key, expected] of Object.entries(goldenJson<Record<string, number[]>>('torch-values.json'))) {
      const tensor = module.get(key);
      assert.instance(tensor, TorchTensor, key);
      const array = await torch.locate(tensor as TorchTensor);
      // A scalar has no axis to join along.
      const vector = array.shape.length === 0 ? { ...array, shape: [1], strides: [1] } : array;
      const bytes = await native.readArrays(forNative(whole(vector)), 'float32');
      assert.equal(new Float32Array(bytes.buffer), Float32Array.from(expected), key);
    }
    assert.equal((module.get('transposed') as TorchTensor).shape, [6, 4]);
    await close();
  });

  test(`${name}: plain values`, async () => {
    const { root, close } = await open(name);
    const plain = [1, -1, 2 ** 40, 2n ** 100n, 1.5, true, null, 'é', [1, 2], new Set([3])];
    assert.equal(root.get('plain'), plain);
    assert.is(root.get('iteration'), 7);
    assert.equal(root.get('size'), [1, 2]);
    await close();
  });
}

test.run();
