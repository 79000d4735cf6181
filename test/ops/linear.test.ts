import { suite } from 'uvu';

import { record } from '../../ts/tensor/scope.js';
import { assertGradient, weighted } from '../support/finite-differences.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import type { Activation } from '../support/reference/gelu.js';
import { linear, linearBackward, type LinearInputs } from '../support/reference/linear.js';
import { Matrix } from '../support/reference/matrix.js';
import { exact } from '../support/reference/precision.js';
import { productSizes } from '../support/sizes.js';
import {
  poisonFreeMemory,
  randomMatrix,
  upload,
  uploadVector,
  type ActivationType,
} from '../support/tensors.js';

interface Options {
  bias?: boolean;
  activation?: Activation;
  residual?: boolean;
  dropout?: number;
  type?: ActivationType;
}

function makeInputs(rows: number, inner: number, out: number, options: Options) {
  const { type = 'float32', dropout } = options;
  const random = new TestRandom(rows * 10000 + inner * 100 + out);
  const inputs: LinearInputs = {
    x: randomMatrix(random, rows, inner, type),
    weight: randomMatrix(random, out, inner, type),
    bias: options.bias ? randomMatrix(random, 1, out) : undefined,
    residual: options.residual ? randomMatrix(random, rows, out, type) : undefined,
    activation: options.activation,
    dropout: dropout === undefined ? undefined : { probability: dropout, seed: 7, site: rows },
  };
  return { inputs, gradY: randomMatrix(random, rows, out, type) };
}

function linearCase([rows, inner, out]: readonly [number, number, number], options: Options = {}): OpCase {
  const { inputs, gradY } = makeInputs(rows, inner, out, options);
  const { type = 'float32', ...parts } = options;
  return {
    name: [`${rows} × ${inner} × ${out}`, ...Object.keys(parts), options.activation]
      .filter(Boolean)
      .join(', '),
    type,
    alwaysFloat32: ['gradWeight', 'gradBias'],
    run(device) {
      const x = upload(device, inputs.x, { type, gradient: true });
      const weight = upload(device, inputs.weight, { type, gradient: true });
      const bias = inputs.bias ? uploadVector(device, inputs.bias, true) : null;
      const residual = inputs.residual && upload(device, inputs.residual, { type, gradient: true });
      const gradient = upload(device, gradY, { type });
      poisonFreeMemory(device);
      return record(device, () => {
        const { activation, dropout } = inputs;
        const y = device.linear(x, weight, bias, { activation, residual, dropout });
        const result = y.read();
        device.backward(y, gradient);
        return {
          y: result,
          gradX: x.readGradient(),
          gradWeight: weight.readGradient(),
          ...(bias && { gradBias: bias.readGradient() }),
          ...(residual && { gradResidual: residual.readGradient() }),
        };
      });
    },
    reference(precision) {
      const { gradX, gradWeight, gradBias, gradResidual } = linearBackward(inputs, gradY, precision);
      return {
        y: linear(inputs, precision),
        gradX,
        gradWeight,
        ...(inputs.bias && { gradBias }),
        ...(inputs.residual && { gradResidual }),
      };
    },
  };
}

opTable('linear', [
  ...productSizes.map((size) => linearCase(size)),
  ...productSizes.map((size) => linearCase(size, { bias: true })),
  ...productSizes.map((size) => linearCase(size, { bias: true, type: 'bfloat16' })),
  ...(['gelu_tanh', 'gelu_erf'] as const).flatMap((activation) => [
    linearCase([17, 33, 64], { activation, bias: true }),
    linearCase([66, 65, 31], { activation, bias: true, residual: true, dropout: 0.3 }),
    linearCase([66, 65, 31], { activation, bias: true, residual: true, dropout: 0.3, type: 'bfloat16' }),
  ]),
  linearCase([5, 257, 48], { residual: true }),
  linearCase([17, 33, 64], { bias: true, dropout: 0.1 }),
  linearCase([131, 20, 97], { dropout: 0.5, residual: true }),
]);

const reference = suite('linear, the reference');
for (const activation of [undefined, 'gelu_tanh', 'gelu_erf'] as const) {
  reference(`its gradients are the finite differences, ${activation ?? 'no activation'}`, () => {
    const { inputs, gradY } = makeInputs(3, 5, 4, { activation, bias: true, residual: true, dropout: 0.3 });
    const value = (): number => weighted(linear(inputs, exact), gradY);
    const { gradX, gradWeight, gradBias, gradResidual } = linearBackward(inputs, gradY, exact);
    assertGradient('x', inputs.x, value, gradX);
    assertGradient('weight', inputs.weight, value, gradWeight);
    assertGradient('bias', inputs.bias as Matrix, value, gradBias);
    assertGradient('residual', inputs.residual as Matrix, value, gradResidual);
  });
}
reference.run();
