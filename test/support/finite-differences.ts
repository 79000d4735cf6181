import type { Matrix } from './reference/matrix.js';
import { at } from './reference/matrix.js';

/**
 * Compares the gradient of a float64 function of `variable` with central differences, element by element. The error of a
 * central difference is about step² of the third derivative, and 1e-16 / step of the function.
 */
export function assertGradient(name: string, variable: Matrix, value: () => number, gradient: Matrix): void {
  const step = 1e-5;
  for (let i = 0; i < variable.data.length; i++) {
    const original = at(variable.data, i);
    variable.data[i] = original + step;
    const above = value();
    variable.data[i] = original - step;
    const below = value();
    variable.data[i] = original;
    const difference = (above - below) / (2 * step);
    const found = at(gradient.data, i);
    if (!(Math.abs(found - difference) <= 1e-7 * Math.max(1, Math.abs(difference)))) {
      throw new Error(`${name}[${i}]: gradient ${found}, finite difference ${difference}`);
    }
  }
}

/** Σ out ∘ gradOut: a number whose gradient the backward takes, given gradOut. */
export function weighted(out: Matrix, gradOut: Matrix): number {
  return out.data.reduce((sum, value, i) => sum + value * at(gradOut.data, i), 0);
}
