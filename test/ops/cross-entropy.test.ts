import { suite } from 'uvu';

import { record } from '../../ts/tensor/scope.js';
import { assertGradient } from '../support/finite-differences.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import {
  crossEntropy,
  crossEntropyBackward,
  type CrossEntropyInputs,
} from '../support/reference/cross-entropy.js';
import { exact } from '../support/reference/precision.js';
import { productSizes } from '../support/sizes.js';
import {
  poisonFreeMemory,
  randomMatrix,
  upload,
  uploadBatch,
  type ActivationType,
} from '../support/tensors.js';

interface Options {
  smoothing?: number;
  scale?: number;
  weighted?: boolean;
  type?: ActivationType;
}

function makeInputs(rows: number, width: number, vocabulary: number, options: Options): CrossEntropyInputs {
  const { type = 'float32', smoothing = 0 } = options;
  const random = new TestRandom(rows * 10000 + width * 100 + vocabulary);
  return {
    // Logits of some units, so that the probabilities are neither all alike nor all zero and one.
    hidden: randomMatrix(random, rows, width, type, 3 / Math.sqrt(width)),
    words: randomMatrix(random, vocabulary, width, type),
    targets: random.integers(rows, vocabulary),
    smoothing,
    weights:
      options.weighted === true ? Float32Array.from({ length: rows }, (_, i) => 1 - 0.3 * i) : undefined,
  };
}

function crossEntropyCase(
  [rows, width, vocabulary]: readonly [number, number, number],
  options: Options = {},
): OpCase {
  const inputs = makeInputs(rows, width, vocabulary, options);
  const { type = 'float32', smoothing = 0, scale = 1 } = options;
  return {
    name: `${rows} × ${width} × ${vocabulary}, smoothing ${smoothing}, scale ${scale}${inputs.weights ? ', weighted' : ''}`,
    type,
    alwaysFloat32: ['losses', 'gradWords'],
    run(device) {
      const contents = {
        rows: Int32Array.from({ length: rows }, (_, i) => i),
        targets: inputs.targets,
        weights: inputs.weights,
        vocabulary,
      };
      const batch = uploadBatch(device, [{ length: rows, context: rows }], contents);
      const hidden = upload(device, inputs.hidden, { type, gradient: true });
      const words = upload(device, inputs.words, { type, gradient: true });
      poisonFreeMemory(device);
      return record(device, () => {
        const losses = device.crossEntropy(batch, hidden, words, { smoothing, gradientScale: scale });
        const result = losses.read();
        device.backward(losses);
        return { losses: result, gradHidden: hidden.readGradient(), gradWords: words.readGradient() };
      });
    },
    reference: (precision) => ({
      losses: crossEntropy(inputs, precision),
      ...crossEntropyBackward(inputs, scale, precision),
    }),
  };
}

opTable('crossEntropy', [
  ...productSizes.map((size) => crossEntropyCase(size)),
  ...productSizes.map((size) => crossEntropyCase(size, { type: 'bfloat16', scale: 0.25 })),
  crossEntropyCase([17, 33, 64], { smoothing: 0.1 }),
  crossEntropyCase([66, 65, 31], { smoothing: 0.1, scale: 1 / 66 }),
  crossEntropyCase([17, 33, 64], { smoothing: 0.1, scale: 0.5, weighted: true }),
  crossEntropyCase([17, 33, 64], { type: 'bfloat16', weighted: true }),
  // Several chunks of logits on a simulated device.
  crossEntropyCase([300, 24, 40], { scale: 1 / 300, smoothing: 0.1, weighted: true }),
  crossEntropyCase([300, 24, 40], { type: 'bfloat16', smoothing: 0.1 }),
  // More words than one chunk of logits is likely to hold.
  crossEntropyCase([9, 24, 5003], { scale: 1 / 9 }),
]);

const reference = suite('crossEntropy, the reference');
reference('its gradients are the finite differences', () => {
  const inputs = makeInputs(3, 4, 6, { smoothing: 0.1 });
  const scale = 0.5;
  const value = (): number => scale * crossEntropy(inputs, exact).data.reduce((sum, loss) => sum + loss, 0);
  const { gradHidden, gradWords } = crossEntropyBackward(inputs, scale, exact);
  assertGradient('hidden', inputs.hidden, value, gradHidden);
  assertGradient('words', inputs.words, value, gradWords);
});
reference.run();
