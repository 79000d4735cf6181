/** The metrics of tasks whose answer is one of a few labels. */

import { accuracy, macroF1 } from '../../metrics/accuracy.js';
import type { Prediction } from '../task.js';

interface Labelled {
  label?: number | undefined;
}

const labelsOf = (records: readonly Labelled[]) => records.map(({ label }) => label);
const choicesOf = (predictions: readonly Prediction[]) => predictions.map(({ choice }) => choice);

export function labelAccuracy(records: readonly Labelled[], predictions: readonly Prediction[]) {
  return { accuracy: accuracy(labelsOf(records), choicesOf(predictions)) };
}

export function labelAccuracyAndF1(records: readonly Labelled[], predictions: readonly Prediction[]) {
  const [labels, choices] = [labelsOf(records), choicesOf(predictions)];
  return { accuracy: accuracy(labels, choices), f1: macroF1(labels, choices) };
}
