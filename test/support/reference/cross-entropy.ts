import { Matrix, at } from './matrix.js';
import type { Precision } from './precision.js';

export interface CrossEntropyInputs {
  /** [rows, h] */
  hidden: Matrix;
  /** [V, h] */
  words: Matrix;
  targets: Int32Array;
  smoothing: number;
  /** [rows] of the losses' gradients */
  weights?: Float32Array | undefined;
}

/** log softmax(hidden · wordsᵀ): [rows, V] */
function logProbabilities({ hidden, words }: CrossEntropyInputs, { round }: Precision): Matrix {
  const logits = Matrix.build(hidden.rows, words.rows, (r, w) => {
    let sum = 0;
    for (let j = 0; j < words.columns; j++) sum = round(sum + round(hidden.get(r, j) * words.get(w, j)));
    return sum;
  });
  for (let r = 0; r < logits.rows; r++) {
    let largest = -Infinity;
    for (let w = 0; w < words.rows; w++) largest = Math.max(largest, logits.get(r, w));
    let sum = 0;
    for (let w = 0; w < words.rows; w++)
      sum = round(sum + round(Math.exp(round(logits.get(r, w) - largest))));
    const logSum = round(largest + round(Math.log(sum)));
    for (let w = 0; w < words.rows; w++) logits.set(r, w, round(logits.get(r, w) - logSum));
  }
  return logits;
}

/** (1 - smoothing) · (-log p[target]) + smoothing · mean of -log p, per row: [rows, 1] */
export function crossEntropy(inputs: CrossEntropyInputs, precision: Precision): Matrix {
  const { round } = precision;
  const { smoothing, targets, words } = inputs;
  const logP = logProbabilities(inputs, precision);
  return Matrix.build(targets.length, 1, (r) => {
    let sum = 0;
    for (let w = 0; w < words.rows; w++) sum = round(sum - logP.get(r, w));
    const mean = round(sum / words.rows);
    return round(round(round(1 - smoothing) * -logP.get(r, at(targets, r))) + round(round(smoothing) * mean));
  });
}

/** Of scale · Σ losses: dz = scale · weight · (p - (1 - smoothing) · [target] - smoothing / V), gradHidden = dz · words, gradWords = dzᵀ · hidden */
export function crossEntropyBackward(inputs: CrossEntropyInputs, scale: number, precision: Precision) {
  const { round, store } = precision;
  const { smoothing, targets, words, hidden } = inputs;
  const logP = logProbabilities(inputs, precision);
  const gradLogits = Matrix.build(hidden.rows, words.rows, (r, w) => {
    const wanted = round((w === at(targets, r) ? round(1 - smoothing) : 0) + round(smoothing / words.rows));
    const weight = round(round(scale) * (inputs.weights?.[r] ?? 1));
    return store(round(weight * round(round(Math.exp(logP.get(r, w))) - wanted)));
  });
  const gradHidden = Matrix.build(hidden.rows, hidden.columns, (r, j) => {
    let sum = 0;
    for (let w = 0; w < words.rows; w++) sum = round(sum + round(gradLogits.get(r, w) * words.get(w, j)));
    return store(sum);
  });
  const gradWords = Matrix.build(words.rows, words.columns, (w, j) => {
    let sum = 0;
    for (let r = 0; r < hidden.rows; r++) sum = round(sum + round(gradLogits.get(r, w) * hidden.get(r, j)));
    return sum;
  });
  return { gradHidden, gradWords };
}
