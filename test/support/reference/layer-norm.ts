import { Matrix } from './matrix.js';
import type { Precision } from './precision.js';

export interface LayerNormInputs {
  /** [rows, h] */
  x: Matrix;
  /** [1, h] */
  weight: Matrix;
  bias: Matrix;
  epsilon: number;
}

/** (x - mean) · rstd and rstd of each row, by two passes over it. */
function normalize({ x, epsilon }: LayerNormInputs, { round }: Precision) {
  const normalized = new Matrix(x.rows, x.columns);
  const rstd = new Matrix(x.rows, 1);
  for (let i = 0; i < x.rows; i++) {
    let sum = 0;
    for (let j = 0; j < x.columns; j++) sum = round(sum + x.get(i, j));
    const mean = round(sum / x.columns);
    let squares = 0;
    for (let j = 0; j < x.columns; j++) {
      const deviation = round(x.get(i, j) - mean);
      squares = round(squares + round(deviation * deviation));
    }
    const variance = round(squares / x.columns);
    rstd.set(i, 0, round(1 / round(Math.sqrt(round(variance + round(epsilon))))));
    for (let j = 0; j < x.columns; j++) {
      normalized.set(i, j, round(round(x.get(i, j) - mean) * rstd.get(i, 0)));
    }
  }
  return { normalized, rstd };
}

/** (x - mean) · rstd · weight + bias over each row */
export function layerNorm(inputs: LayerNormInputs, precision: Precision): Matrix {
  const { round, store } = precision;
  const { weight, bias } = inputs;
  const { normalized } = normalize(inputs, precision);
  return Matrix.build(normalized.rows, normalized.columns, (i, j) =>
    store(round(round(normalized.get(i, j) * weight.get(0, j)) + bias.get(0, j))),
  );
}

/** With g = gradY · weight: gradX = rstd · (g - mean(g) - normalized · mean(g · normalized)) */
export function layerNormBackward(inputs: LayerNormInputs, gradY: Matrix, precision: Precision) {
  const { round, store } = precision;
  const { rows, columns } = inputs.x;
  const { normalized, rstd } = normalize(inputs, precision);
  const gradX = new Matrix(rows, columns);
  const gradWeight = new Matrix(1, columns);
  const gradBias = new Matrix(1, columns);
  for (let i = 0; i < rows; i++) {
    let sumG = 0;
    let sumProduct = 0;
    for (let j = 0; j < columns; j++) {
      const g = round(gradY.get(i, j) * inputs.weight.get(0, j));
      sumG = round(sumG + g);
      sumProduct = round(sumProduct + round(g * normalized.get(i, j)));
      gradWeight.set(0, j, round(gradWeight.get(0, j) + round(gradY.get(i, j) * normalized.get(i, j))));
      gradBias.set(0, j, round(gradBias.get(0, j) + gradY.get(i, j)));
    }
    const meanG = round(sumG / columns);
    const meanProduct = round(sumProduct / columns);
    for (let j = 0; j < columns; j++) {
      const g = round(gradY.get(i, j) * inputs.weight.get(0, j));
      const rest = round(round(g - meanG) - round(normalized.get(i, j) * meanProduct));
      gradX.set(i, j, store(round(rstd.get(i, 0) * rest)));
    }
  }
  return { gradX, gradWeight, gradBias };
}
