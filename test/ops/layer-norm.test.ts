import { suite } from 'uvu';

import { record } from '../../ts/tensor/scope.js';
import { assertGradient, weighted } from '../support/finite-differences.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import { layerNorm, layerNormBackward } from '../support/reference/layer-norm.js';
import { exact } from '../support/reference/precision.js';
import { matrixSizes } from '../support/sizes.js';
import {
  poisonFreeMemory,
  randomMatrix,
  upload,
  uploadVector,
  type ActivationType,
} from '../support/tensors.js';

function makeInputs(rows: number, width: number, type: ActivationType, mean: number) {
  const random = new TestRandom(rows * 1000 + width);
  const store = (x: number): number => (type === 'float32' ? Math.fround(x) : x);
  return {
    inputs: {
      x: randomMatrix(random, rows, width, type).map((value) => store(value + mean)),
      weight: randomMatrix(random, 1, width),
      bias: randomMatrix(random, 1, width),
      epsilon: 1e-5,
    },
    gradY: randomMatrix(random, rows, width, type),
  };
}

function layerNormCase(rows: number, width: number, type: ActivationType, mean = 0): OpCase {
  const { inputs, gradY } = makeInputs(rows, width, type, mean);
  return {
    name: `${rows} × ${width}${mean ? ` around ${mean}` : ''}`,
    type,
    alwaysFloat32: ['gradWeight', 'gradBias'],
    run(device) {
      const x = upload(device, inputs.x, { type, gradient: true });
      const weight = uploadVector(device, inputs.weight, true);
      const bias = uploadVector(device, inputs.bias, true);
      const gradient = upload(device, gradY, { type });
      poisonFreeMemory(device);
      return record(device, () => {
        const y = device.layerNorm(x, weight, bias, inputs.epsilon);
        const result = y.read();
        device.backward(y, gradient);
        return {
          y: result,
          gradX: x.readGradient(),
          gradWeight: weight.readGradient(),
          gradBias: bias.readGradient(),
        };
      });
    },
    reference: (precision) => ({
      y: layerNorm(inputs, precision),
      ...layerNormBackward(inputs, gradY, precision),
    }),
  };
}

// Of a single number nothing is left but rounding.
const sizes = matrixSizes.filter(([, width]) => width > 1);

opTable('layerNorm', [
  ...sizes.map(([rows, width]) => layerNormCase(rows, width, 'float32')),
  ...sizes.map(([rows, width]) => layerNormCase(rows, width, 'bfloat16')),
  // A mean that dwarfs the deviations, where E[x²] - E[x]² would have no digit left.
  layerNormCase(17, 64, 'float32', 300),
  layerNormCase(5, 33, 'float32', -300),
]);

const reference = suite('layerNorm, the reference');
reference('its gradients are the finite differences', () => {
  const { inputs, gradY } = makeInputs(3, 7, 'float32', 0);
  const value = (): number => weighted(layerNorm(inputs, exact), gradY);
  const { gradX, gradWeight, gradBias } = layerNormBackward(inputs, gradY, exact);
  assertGradient('x', inputs.x, value, gradX);
  assertGradient('weight', inputs.weight, value, gradWeight);
  assertGradient('bias', inputs.bias, value, gradBias);
});
reference.run();
