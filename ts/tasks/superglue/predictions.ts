/** Lines of the prediction files that SuperGLUE takes (super.gluebenchmark.com, `BoolQ.jsonl` and so on). */

import type { Prediction } from '../task.js';

interface Indexed {
  idx: number;
}

/** `{"idx": 0, "label": …}` for each record. */
export function labelLines(
  records: readonly Indexed[],
  predictions: readonly Prediction[],
  labels: readonly (string | number)[],
): string[] {
  return records.map(({ idx }, i) => JSON.stringify({ idx, label: labels[predictions[i]!.choice!] }));
}
