import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { record } from '../../ts/tensor/scope.js';
import { testDevices } from '../support/devices.js';
import { TestRandom } from '../support/random.js';
import { Matrix } from '../support/reference/matrix.js';
import { disposing, randomMatrix, upload } from '../support/tensors.js';

const norms = suite('squaredGradientNorm');

// One parameter is more than one piece of the kernel's loop.
const random = new TestRandom(5);
const gradients = [1, 7, 33, 70_001].map((length) => randomMatrix(random, 1, length));
const expected = gradients.reduce((sum, { data }) => sum + data.reduce((s, x) => s + x * x, 0), 0);

for (const device of testDevices) {
  const name = `squaredGradientNorm on ${device.name}`;
  if (device.missing !== undefined) {
    norms.skip(`${name}: ${device.missing}`);
    continue;
  }
  norms(name, async () => {
    const found = [];
    for (const threads of device.threads) {
      const native = device.open(threads);
      const norm = disposing(native, () => {
        const one = upload(native, new Matrix(1, 1, [1]));
        const parameters = gradients.map((gradient) => {
          const parameter = upload(native, new Matrix(gradient.columns, 1), { gradient: true });
          record(native, () =>
            native.backward(native.linear(one, parameter, null), upload(native, gradient)),
          );
          return parameter;
        });
        return native.squaredGradientNorm(parameters);
      });
      found.push(norm);
    }
    const [first = NaN, ...others] = await Promise.all(found);
    // Float64 throughout: 70,042 additions err by their rounding alone.
    assert.ok(Math.abs(first - expected) <= 1e-13 * expected, `found ${first}, expected ${expected}`);
    for (const other of others) assert.is(other, first);
  });
}

norms.run();
