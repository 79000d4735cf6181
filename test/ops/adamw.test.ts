import type { NativeDevice, NativeTensor } from '../../ts/native.js';
import { record } from '../../ts/tensor/scope.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import { adamw, type AdamWState } from '../support/reference/adamw.js';
import { Matrix } from '../support/reference/matrix.js';
import { poisonFreeMemory, randomMatrix, upload } from '../support/tensors.js';

/** Sizes of the parameters: around a vector, and one that is more than one piece of the kernel's loop. */
const lengths = [1, 7, 16, 33, 70_001];
const steps = 3;
const options = {
  learningRate: 1e-2,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-6,
  weightDecay: 0.1,
  gradientScale: 0.37,
};

/** Leaves `gradient` as the gradient of `parameter` [n, 1]: that of y = 1 · parameterᵀ, given gradY. */
function setGradient(device: NativeDevice, parameter: NativeTensor, gradient: Matrix): void {
  const one = upload(device, new Matrix(1, 1, [1]));
  const gradY = upload(device, gradient, { shape: [1, gradient.data.length] });
  parameter.clearGradient();
  record(device, () => device.backward(device.linear(one, parameter, null), gradY));
}

function adamwCase(beta2: number, moments: 'zero' | 'any'): OpCase {
  const random = new TestRandom(3);
  const deviation = moments === 'zero' ? 0 : 0.1;
  const parameters = lengths.map((length, p) => ({
    state: {
      parameter: randomMatrix(random, length, 1),
      firstMoment: randomMatrix(random, length, 1, 'float32', deviation),
      secondMoment: randomMatrix(random, length, 1, 'float32', deviation).map(Math.abs),
    },
    gradients: Array.from({ length: steps }, () => randomMatrix(random, length, 1)),
    decay: p % 2 === 0,
  }));
  return {
    name: `${steps} steps from ${moments} moments, β₂ ${beta2}`,
    type: 'float32',
    run(device) {
      const tensors = parameters.map(({ state, decay }) => ({
        parameter: upload(device, state.parameter, { gradient: true }),
        firstMoment: upload(device, state.firstMoment),
        secondMoment: upload(device, state.secondMoment),
        decay,
      }));
      poisonFreeMemory(device);
      for (let step = 1; step <= steps; step++) {
        tensors.forEach(({ parameter }, p) => {
          setGradient(device, parameter, parameters[p]?.gradients[step - 1] as Matrix);
        });
        device.adamw(tensors, { ...options, beta2, step });
      }
      return Object.fromEntries(
        tensors.flatMap(({ parameter, firstMoment, secondMoment }, p) => [
          [`parameter ${p}`, parameter.read()],
          [`first moment ${p}`, firstMoment.read()],
          [`second moment ${p}`, secondMoment.read()],
        ]),
      );
    },
    reference(precision) {
      const results: [string, Matrix][] = [];
      parameters.forEach(({ state, gradients, decay }, p) => {
        let now: AdamWState = state;
        for (let step = 1; step <= steps; step++) {
          now = adamw(now, gradients[step - 1] as Matrix, decay, { ...options, beta2, step }, precision);
        }
        results.push(
          [`parameter ${p}`, now.parameter],
          [`first moment ${p}`, now.firstMoment],
          [`second moment ${p}`, now.secondMoment],
        );
      });
      return Object.fromEntries(results);
    },
  };
}

opTable('adamw', [
  adamwCase(0.98, 'any'),
  adamwCase(0.98, 'zero'),
  // 1 - β₂ must not be taken in float32: it would be off by 5e-5 of itself.
  adamwCase(0.999, 'zero'),
]);
