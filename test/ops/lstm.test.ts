import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { record } from '../../ts/tensor/scope.js';
import { bestCpu } from '../support/devices.js';
import { assertGradient, weighted } from '../support/finite-differences.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import { lstm, lstmBackward, type LstmDirection } from '../support/reference/lstm.js';
import { exact } from '../support/reference/precision.js';
import {
  type ActivationType,
  poisonFreeMemory,
  randomMatrix,
  upload,
  uploadVector,
} from '../support/tensors.js';

/** Weights so large that the state before matters as much as the input. */
function makeInputs(steps: number, width: number, weightType: ActivationType = 'float32') {
  const random = new TestRandom(100 * steps + width);
  const pair = [0, 1].map((): LstmDirection => ({
    gates: randomMatrix(random, steps, 4 * width),
    weight: randomMatrix(random, 4 * width, width, weightType, 1 / Math.sqrt(width)),
    bias: randomMatrix(random, 1, 4 * width),
  }));
  return { pair, gradOut: randomMatrix(random, steps, 2 * width) };
}

const names = ['forward', 'backward'];

function lstmCase(steps: number, width: number, weightType: ActivationType = 'float32'): OpCase {
  const { pair, gradOut } = makeInputs(steps, width, weightType);
  return {
    name: `${steps} steps of ${width}, weights in ${weightType}`,
    type: 'float32',
    run(device) {
      const [forward, backward] = pair.map(({ gates, weight, bias }) => ({
        gates: upload(device, gates, { gradient: true }),
        weight: upload(device, weight, { type: weightType, gradient: true }),
        bias: uploadVector(device, bias, true),
      }));
      const gradient = upload(device, gradOut);
      poisonFreeMemory(device);
      return record(device, () => {
        const out = device.lstm(forward!, backward!);
        const result = out.read();
        device.backward(out, gradient);
        const gradients = [forward!, backward!].flatMap(({ gates, weight, bias }, d) => [
          [`${names[d]} gradGates`, gates.readGradient()] as const,
          [`${names[d]} gradWeight`, weight.readGradient()] as const,
          [`${names[d]} gradBias`, bias.readGradient()] as const,
        ]);
        return { out: result, ...Object.fromEntries(gradients) };
      });
    },
    reference(precision) {
      const gradients = lstmBackward(pair, gradOut, precision).flatMap((own, d) =>
        Object.entries(own).map(([name, gradient]) => [`${names[d]} ${name}`, gradient] as const),
      );
      return { out: lstm(pair, precision), ...Object.fromEntries(gradients) };
    },
  };
}

opTable('lstm', [
  lstmCase(1, 1),
  lstmCase(1, 7),
  lstmCase(2, 8),
  lstmCase(5, 33),
  lstmCase(9, 64),
  lstmCase(3, 70),
  lstmCase(4, 33, 'bfloat16'),
]);

const reference = suite('lstm, the reference');

reference('its gradients are the finite differences', () => {
  const { pair, gradOut } = makeInputs(4, 3);
  const value = (): number => weighted(lstm(pair, exact), gradOut);
  lstmBackward(pair, gradOut, exact).forEach(({ gradGates, gradWeight, gradBias }, d) => {
    assertGradient(`${names[d]} gates`, pair[d]!.gates, value, gradGates);
    assertGradient(`${names[d]} weight`, pair[d]!.weight, value, gradWeight);
    assertGradient(`${names[d]} bias`, pair[d]!.bias, value, gradBias);
  });
});

reference('shapes that do not fit are refused', () => {
  const device = bestCpu();
  const direction = (steps: number, width: number) => {
    const { gates, weight, bias } = makeInputs(steps, width).pair[0]!;
    return { gates: upload(device, gates), weight: upload(device, weight), bias: uploadVector(device, bias) };
  };
  assert.throws(() => device.lstm(direction(2, 3), direction(3, 3)), /lstm: expected gates to be/);
  assert.throws(() => device.lstm(direction(2, 3), direction(2, 4)), /lstm: expected gates to be/);
  const wrong = { ...direction(2, 3), bias: direction(2, 4).bias };
  assert.throws(() => device.lstm(wrong, direction(2, 3)), /lstm: expected bias to be/);
});

reference.run();
