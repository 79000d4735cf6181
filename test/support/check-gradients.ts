import * as assert from 'uvu/assert';

import type { Batch } from '../../ts/data/batch.js';
import type { GLM } from '../../ts/glm.js';

/**
 * Goes a little along each wanted parameter's gradient: the loss changes by the gradient's norm. That is a finite difference with a
 * signal far above the rounding of float32.
 * @param reach how far to go at most, as a share of the parameter's norm
 */
export async function checkGradients(
  model: GLM,
  batch: Batch,
  wanted: (name: string) => boolean,
  reach = 0.05,
): Promise<void> {
  const { loss, gradients } = await model.gradients(batch);
  let checked = 0;
  for (const [name, gradient] of gradients) {
    if (!wanted(name)) continue;
    const norm = Math.hypot(...gradient);
    assert.ok(norm > 1e-6, `${name}: a gradient that is zero cannot be checked`);
    const tensor = model.network.parameters.exact(name);
    const values = await model.readParameter(name);
    const length = Math.min(reach * Math.hypot(...values) + 0.01, 0.02 / norm);
    const slope = async (distance: number) => {
      const at = async (sign: number) => {
        tensor.write(values.map((value, i) => value + (sign * distance * gradient[i]!) / norm));
        return (await model.loss(batch)).loss;
      };
      return ((await at(1)) - (await at(-1))) / (2 * distance);
    };
    // Richardson's extrapolation: without the error of second order.
    const difference = (4 * (await slope(length / 2)) - (await slope(length))) / 3;
    tensor.write(values);
    const noise = 3e-6 / length; // of losses in float32
    assert.ok(
      Math.abs(difference - norm) < 0.005 * norm + noise && noise < 0.1 * norm,
      `${name}: norm ${norm}, finite difference ${difference} over ${length}`,
    );
    checked++;
  }
  assert.ok(checked > 0);
  assert.is((await model.loss(batch)).loss, loss, 'the parameters are as they were');
}
