import type { NativeDropout } from '../../../ts/native.js';
import { activate, activationSlope, type Activation } from './gelu.js';
import { Matrix } from './matrix.js';
import { dropoutFactor } from './philox.js';
import type { Precision } from './precision.js';

export interface LinearInputs {
  /** [rows, in] */
  x: Matrix;
  /** [out, in] */
  weight: Matrix;
  /** [1, out] */
  bias?: Matrix | undefined;
  /** [rows, out] */
  residual?: Matrix | undefined;
  activation?: Activation;
  dropout?: NativeDropout | undefined;
}

/** dropout(activation(x) · weightᵀ + bias) + residual: [rows, out] */
export function linear(inputs: LinearInputs, precision: Precision): Matrix {
  const { round, store } = precision;
  const { x, weight, bias, residual } = inputs;
  const activated = x.map((value) => store(activate(inputs.activation, value, precision)));
  return Matrix.build(x.rows, weight.rows, (i, o) => {
    let sum = 0;
    for (let k = 0; k < x.columns; k++) sum = round(sum + round(activated.get(i, k) * weight.get(o, k)));
    if (bias) sum = round(sum + bias.get(0, o));
    sum = round(sum * dropoutFactor(inputs.dropout, i * weight.rows + o));
    if (residual) sum = round(sum + residual.get(i, o));
    return store(sum);
  });
}

/** With g = dropout(gradY): gradX = (g · weight) ∘ activation'(x), gradWeight = gᵀ · activation(x), gradBias = column sums of g */
export function linearBackward(inputs: LinearInputs, gradY: Matrix, precision: Precision) {
  const { round, store } = precision;
  const { x, weight, activation } = inputs;
  const activated = x.map((value) => store(activate(activation, value, precision)));
  const g = Matrix.build(x.rows, weight.rows, (i, o) =>
    store(gradY.get(i, o) * dropoutFactor(inputs.dropout, i * weight.rows + o)),
  );

  const gradX = Matrix.build(x.rows, x.columns, (i, k) => {
    let sum = 0;
    for (let o = 0; o < weight.rows; o++) sum = round(sum + round(g.get(i, o) * weight.get(o, k)));
    return store(round(sum * activationSlope(activation, x.get(i, k), precision)));
  });
  const gradWeight = Matrix.build(weight.rows, weight.columns, (o, k) => {
    let sum = 0;
    for (let i = 0; i < x.rows; i++) sum = round(sum + round(g.get(i, o) * activated.get(i, k)));
    return sum;
  });
  const gradBias = Matrix.build(1, weight.rows, (_, o) => {
    let sum = 0;
    for (let i = 0; i < x.rows; i++) sum = round(sum + g.get(i, o));
    return sum;
  });
  return { gradX, gradWeight, gradBias, gradResidual: gradY };
}
