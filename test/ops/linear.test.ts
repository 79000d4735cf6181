import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { record } from '../../ts/tensor/scope.js';
import { testDevices } from '../support/devices.js';
import { assertGradient, weighted } from '../support/finite-differences.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import type { Activation } from '../support/reference/gelu.js';
import { linear, linearBackward, type LinearInputs } from '../support/reference/linear.js';
import { Matrix } from '../support/reference/matrix.js';
import { exact } from '../support/reference/precision.js';
import { productSizes } from '../support/sizes.js';
import {
  disposing,
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
  const name = [`${rows} × ${inner} × ${out}`, ...Object.keys(parts), options.activation];
  return caseOf(name.filter(Boolean).join(', '), type, inputs, gradY);
}

/** The activation and its derivative alone, over the range where they are neither 0 nor the identity. */
function activationCase(activation: Activation): OpCase {
  const x = Matrix.build(361, 1, (i) => Math.fround((i - 180) / 20));
  const one = new Matrix(1, 1, [1]);
  return caseOf(
    `${activation} from -9 to 9`,
    'float32',
    { x, weight: one, activation },
    // Not all alike: the sum of an odd function's values would cancel to nothing, and its error be chance.
    Matrix.build(361, 1, (i) => 1 + (i % 3)),
  );
}

function caseOf(name: string, type: ActivationType, inputs: LinearInputs, gradY: Matrix): OpCase {
  return {
    name,
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
  ...(['gelu_tanh', 'gelu_erf', 'tanh', 'relu'] as const).flatMap((activation) => [
    activationCase(activation),
    linearCase([17, 33, 64], { activation, bias: true }),
    linearCase([66, 65, 31], { activation, bias: true, residual: true, dropout: 0.3 }),
    linearCase([66, 65, 31], { activation, bias: true, residual: true, dropout: 0.3, type: 'bfloat16' }),
  ]),
  ...(['float32', 'bfloat16'] as const).flatMap((type) => [
    linearCase([40, 600, 24], { bias: true, residual: true, dropout: 0.2, type }), // deep and narrow
    linearCase([520, 24, 520], { bias: true, type }), // many tiles of any size
    linearCase([9, 200, 140], { bias: true, activation: 'gelu_erf', residual: true, dropout: 0.1, type }),
  ]),
  linearCase([5, 257, 48], { residual: true }),
  linearCase([17, 33, 64], { bias: true, dropout: 0.1 }),
  linearCase([131, 20, 97], { dropout: 0.5, residual: true }),
]);

const far = suite('linear, activations far from zero');
for (const device of testDevices) {
  for (const activation of ['gelu_tanh', 'gelu_erf'] as const) {
    const name = `${activation} of huge numbers on ${device.name}`;
    if (device.missing !== undefined) {
      far.skip(`${name}: ${device.missing}`);
      continue;
    }
    far(name, async () => {
      const x = [0, 1e4, -1e4, 3e38, -3e38];
      const native = device.open(1);
      const [y, gradX] = disposing(native, () => {
        const input = upload(native, new Matrix(x.length, 1, x), { gradient: true });
        const one = upload(native, new Matrix(1, 1, [1]));
        const gradient = upload(native, new Matrix(x.length, 1, [1, 1, 1, 1, 1]));
        return record(native, () => {
          const output = native.linear(input, one, null, { activation });
          const result = output.read();
          native.backward(output, gradient);
          return [result, input.readGradient()] as const;
        });
      });
      assert.equal(Array.from(await y, Math.abs), [0, 1e4, 0, 3e38, 0].map(Math.fround));
      assert.equal(
        Array.from(await gradX, (slope) => Math.round(slope * 1e6) / 1e6).map(Math.abs),
        [0.5, 1, 0, 1, 0],
      );
    });
  }
}
far.run();

const few = suite('linear, few rows');
for (const device of testDevices.filter(({ name }) => name !== 'cuda')) {
  const name = `a row gets the same bits alone and among up to 6, and among 7 to 32, on ${device.name}`;
  if (device.missing !== undefined) {
    few.skip(`${name}: ${device.missing}`);
    continue;
  }
  few(name, async () => {
    const native = device.open(2);
    for (const type of ['float32', 'bfloat16'] as const) {
      const random = new TestRandom(3);
      const x = randomMatrix(random, 32, 2100, type);
      const weight = randomMatrix(random, 150, 2100, type);
      for (const counts of [
        [1, 2, 3, 4, 5, 6],
        [7, 8, 9, 16, 23, 31, 32],
      ]) {
        const outputs = disposing(native, () => {
          const right = upload(native, weight, { type });
          return counts.map((rows) => {
            const left = upload(native, new Matrix(rows, 2100, x.data.slice(0, rows * 2100)), { type });
            return native.linear(left, right, null).read();
          });
        });
        const [first, ...others] = (await Promise.all(outputs)).map((y) => Array.from(y.subarray(0, 150)));
        for (const other of others) assert.equal(other, first, type);
      }
    }
  });
}
few.run();

const reference = suite('linear, the reference');
for (const activation of [undefined, 'gelu_tanh', 'gelu_erf', 'tanh', 'relu'] as const) {
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
