import { suite } from 'uvu';

import { record } from '../../ts/tensor/scope.js';
import { assertGradient, weighted } from '../support/finite-differences.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import { gatherRows, gatherRowsBackward } from '../support/reference/gather-rows.js';
import { matrixSizes } from '../support/sizes.js';
import {
  poisonFreeMemory,
  randomMatrix,
  upload,
  uploadBatch,
  type ActivationType,
} from '../support/tensors.js';

/** Every third row, the last first. */
function everyThird(tokens: number): Int32Array {
  return Int32Array.from({ length: Math.ceil(tokens / 3) }, (_, i) => tokens - 1 - 3 * i);
}

function gatherRowsCase(
  tokens: number,
  width: number,
  type: ActivationType,
  rows = everyThird(tokens),
): OpCase {
  const random = new TestRandom(tokens * 1000 + width);
  const x = randomMatrix(random, tokens, width, type);
  const gradOut = randomMatrix(random, rows.length, width, type);
  return {
    name: `${rows.length} of ${tokens} × ${width}`,
    type,
    run(device) {
      const batch = uploadBatch(device, [{ length: tokens, context: 0 }], { rows });
      const input = upload(device, x, { type, gradient: true });
      const gradient = upload(device, gradOut, { type });
      poisonFreeMemory(device);
      return record(device, () => {
        const out = device.gatherRows(batch, input);
        const result = out.read();
        device.backward(out, gradient);
        return { out: result, gradX: input.readGradient() };
      });
    },
    reference: () => ({ out: gatherRows(x, rows), gradX: gatherRowsBackward(x, rows, gradOut) }),
  };
}

opTable('gatherRows', [
  ...matrixSizes.map(([tokens, width]) => gatherRowsCase(tokens, width, 'float32')),
  ...matrixSizes.map(([tokens, width]) => gatherRowsCase(tokens, width, 'bfloat16')),
  gatherRowsCase(5, 33, 'float32', new Int32Array(0)),
]);

const reference = suite('gatherRows, the reference');
reference('its gradient is the finite difference', () => {
  const random = new TestRandom(1);
  const x = randomMatrix(random, 5, 3);
  const rows = everyThird(5);
  const gradOut = randomMatrix(random, rows.length, 3);
  assertGradient('x', x, () => weighted(gatherRows(x, rows), gradOut), gatherRowsBackward(x, rows, gradOut));
});
reference.run();
