/** Metrics of labels, from 0 to 100. A label is anything that `===` compares. */

import { mean, percent } from './mean.js';

/** The share of labels that are predicted right. */
export function accuracy<Label>(labels: readonly Label[], predicted: readonly Label[]): number {
  return percent(labels.map((label, i) => label === predicted[i]));
}

/** The mean of each label's F1, over the labels that are right or predicted anywhere. */
export function macroF1<Label>(labels: readonly Label[], predicted: readonly Label[]): number {
  return mean([...new Set([...labels, ...predicted])].map((label) => f1Of(label, labels, predicted)));
}

/** F1 of one label against all others. */
export function f1Of<Label>(label: Label, labels: readonly Label[], predicted: readonly Label[]): number {
  const right = labels.filter((is) => is === label).length;
  const found = predicted.filter((is) => is === label).length;
  const both = labels.filter((is, i) => is === label && predicted[i] === label).length;
  return right + found === 0 ? 0 : (200 * both) / (right + found);
}
