/** Gradients that several ops add to: the two ways into a residual block, and a parameter used in two steps. */

import { record } from '../../ts/tensor/scope.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import { layerNorm, layerNormBackward } from '../support/reference/layer-norm.js';
import { linearBackward } from '../support/reference/linear.js';
import { Matrix, at } from '../support/reference/matrix.js';
import { matrixSizes } from '../support/sizes.js';
import {
  poisonFreeMemory,
  randomMatrix,
  upload,
  uploadVector,
  type ActivationType,
} from '../support/tensors.js';

/**
 * y = branch(x) + x, twice with the same weights, where the branch is linear(layerNorm(x)) or linear(x): the gradient of x is what
 * comes by the residual, and the kernel of the branch adds to it.
 */
function residualCase(rows: number, width: number, type: ActivationType, withLayerNorm: boolean): OpCase {
  const random = new TestRandom(rows * 100 + width);
  const inputs = {
    x: randomMatrix(random, rows, width, type),
    scale: randomMatrix(random, 1, width),
    shift: randomMatrix(random, 1, width),
    weight: randomMatrix(random, width, width, type, 1 / Math.sqrt(width)),
    gradY: randomMatrix(random, rows, width, type),
  };
  const epsilon = 1e-5;
  return {
    name: `${withLayerNorm ? 'layer norm and ' : ''}linear beside a residual, ${rows} × ${width}`,
    type,
    alwaysFloat32: ['gradWeight', 'gradScale'],
    run(device) {
      const x = upload(device, inputs.x, { type, gradient: true });
      const scale = uploadVector(device, inputs.scale, true);
      const shift = uploadVector(device, inputs.shift, true);
      const weight = upload(device, inputs.weight, { type, gradient: true });
      const gradients = [1, 2].map(() => upload(device, inputs.gradY, { type })); // the backward uses one up
      poisonFreeMemory(device);
      for (const gradient of gradients) {
        x.clearGradient();
        record(device, () => {
          const branch = withLayerNorm ? device.layerNorm(x, scale, shift, epsilon) : x;
          device.backward(device.linear(branch, weight, null, { residual: x }), gradient);
        });
      }
      return {
        gradX: x.readGradient(),
        gradWeight: weight.readGradient(),
        ...(withLayerNorm && { gradScale: scale.readGradient() }),
      };
    },
    reference(precision) {
      const { round, store } = precision;
      const norm = { x: inputs.x, weight: inputs.scale, bias: inputs.shift, epsilon };
      const branch = withLayerNorm ? layerNorm(norm, precision) : inputs.x;
      const { gradX, gradWeight } = linearBackward(
        { x: branch, weight: inputs.weight },
        inputs.gradY,
        precision,
      );
      const inner = withLayerNorm ? layerNormBackward(norm, gradX, precision) : undefined;
      const throughBranch = inner?.gradX ?? gradX;
      return {
        gradX: new Matrix(
          rows,
          width,
          throughBranch.data.map((value, i) => store(round(value + at(inputs.gradY.data, i)))),
        ),
        gradWeight: gradWeight.map((value) => 2 * value),
        ...(inner && { gradScale: inner.gradWeight.map((value) => 2 * value) }),
      };
    },
  };
}

const sizes = matrixSizes.filter(([, width]) => width > 1);

opTable('accumulation', [
  ...sizes.map(([rows, width]) => residualCase(rows, width, 'float32', true)),
  ...sizes.map(([rows, width]) => residualCase(rows, width, 'float32', false)),
  residualCase(17, 64, 'bfloat16', true),
  residualCase(66, 65, 'bfloat16', false),
]);
