/** Any pairs of texts (`customization` of the original). */

import { summaryTask } from './summary-task.js';

const lines = (text: string) => text.split('\n').map((line) => line.trim());

export const textToText = summaryTask({
  name: 'seq2seq',
  description: 'your own: .source and .target, or .jsonl with source and target',
  settings: { epochs: 10, learningRate: 1e-5, batchSize: 8 },
  writing: { beams: 5, lengthPenalty: 0.7, minTargetLength: 0, noRepeatNgram: 3 },
  lengths: { source: 512, target: 128 },
  form: {
    sourceFields: ['source'],
    targetFields: ['target'],
    source: (text) => text,
    target: lines,
  },
});
