/** A packed batch of ragged examples gives the numbers of its examples alone: nothing leaks from one into another. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { HostArray, NativeBatch, NativeDevice, NativeTensor } from '../../ts/native.js';
import { record } from '../../ts/tensor/scope.js';
import { largest, largestError } from '../support/close.js';
import { testDevices } from '../support/devices.js';
import { TestRandom } from '../support/random.js';
import { at } from '../support/reference/matrix.js';
import type { Example } from '../support/sizes.js';
import {
  disposing,
  numbers,
  randomMatrix,
  tokensOf,
  upload,
  uploadBatch,
  uploadVector,
} from '../support/tensors.js';

const width = 48;
const heads = 3;
const vocabulary = 101;
const positions = 80;
const examples: Example[] = [
  { length: 37, context: 25 },
  { length: 1, context: 1 },
  { length: 70, context: 0 },
  { length: 16, context: 16 },
  { length: 66, context: 50 },
];
const tokens = tokensOf(examples);

const random = new TestRandom(17);
const weights = {
  words: randomMatrix(random, vocabulary, width, 'float32', 0.2),
  positionTable: randomMatrix(random, positions, width, 'float32', 0.2),
  blockTable: randomMatrix(random, positions, width, 'float32', 0.2),
  scale: randomMatrix(random, 1, width),
  shift: randomMatrix(random, 1, width),
  qkv: randomMatrix(random, 3 * width, width, 'float32', 0.3),
  dense: randomMatrix(random, width, width, 'float32', 0.3),
};
const contents = {
  ids: random.integers(tokens, vocabulary),
  positions: random.integers(tokens, positions),
  blockPositions: random.integers(tokens, positions),
  targets: random.integers(tokens, vocabulary),
};

interface Results {
  losses: Float64Array;
  gradients: Record<string, Float64Array>;
}

/** One layer of a GLM with its loss on every token, over some of the examples. */
async function run(device: NativeDevice, first: number, last: number): Promise<Results> {
  const chosen = examples.slice(first, last);
  const begin = tokensOf(examples.slice(0, first));
  const end = begin + tokensOf(chosen);
  const part = (array: Int32Array): Int32Array => array.slice(begin, end);

  const { losses, gradients } = disposing(device, () => {
    const matrix = (name: keyof typeof weights): NativeTensor =>
      upload(device, weights[name], { gradient: true });
    const vector = (name: keyof typeof weights): NativeTensor => uploadVector(device, weights[name], true);
    const parameters = {
      words: matrix('words'),
      positionTable: matrix('positionTable'),
      blockTable: matrix('blockTable'),
      scale: vector('scale'),
      shift: vector('shift'),
      qkv: matrix('qkv'),
      dense: matrix('dense'),
    };
    const batch = uploadBatch(device, chosen, {
      ids: part(contents.ids),
      positions: part(contents.positions),
      blockPositions: part(contents.blockPositions),
      targets: part(contents.targets),
      rows: Int32Array.from({ length: end - begin }, (_, i) => i),
      vocabulary,
    });
    return {
      losses: record(device, () => lossOfOneLayer(device, batch, parameters)),
      gradients: Object.entries(parameters).map(([name, tensor]) => [name, tensor.readGradient()] as const),
    };
  });
  const values = async (array: Promise<HostArray>): Promise<Float64Array> => numbers(await array);
  return {
    losses: await values(losses),
    gradients: Object.fromEntries(
      await Promise.all(gradients.map(async ([name, array]) => [name, await values(array)] as const)),
    ),
  };
}

function lossOfOneLayer(
  device: NativeDevice,
  batch: NativeBatch,
  { words, positionTable, blockTable, scale, shift, qkv, dense }: Record<keyof typeof weights, NativeTensor>,
): Promise<HostArray> {
  const x = device.embedding(batch, words, { positionTable, blockTable, dtype: 'float32' });
  const normalized = device.layerNorm(x, scale, shift, 1e-5);
  const attended = device.attention(batch, device.linear(normalized, qkv, null), { heads });
  const hidden = device.linear(attended, dense, null, { residual: x });
  const losses = device.crossEntropy(batch, device.gatherRows(batch, hidden), words);
  const values = losses.read();
  device.backward(losses);
  return values;
}

const packing = suite('packing');
for (const device of testDevices) {
  const name = `a packed batch is its examples alone, on ${device.name}`;
  if (device.missing !== undefined) {
    packing.skip(`${name}: ${device.missing}`);
    continue;
  }
  packing(name, async () => {
    const native = device.open(2);
    const packed = await run(native, 0, examples.length);
    const alone = await Promise.all(examples.map((_, i) => run(native, i, i + 1)));

    const losses = Float64Array.from(alone.flatMap((results) => [...results.losses]));
    assert.ok(largestError(packed.losses, losses) <= 1e-6 * largest(losses), 'losses');
    for (const [parameter, gradient] of Object.entries(packed.gradients)) {
      const sum = gradient.map((_, i) =>
        alone.reduce((total, { gradients }) => total + at(gradients[parameter] ?? [], i), 0),
      );
      const error = largestError(gradient, sum);
      assert.ok(error <= 1e-6 * largest(sum), `${parameter}: ${error} of ${largest(sum)}`);
    }
  });
}
packing.run();
