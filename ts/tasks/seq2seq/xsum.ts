/** XSum (Narayan et al. 2018): a news text in one sentence. */

import { summaryTask } from './summary-task.js';

const asWritten = (text: string) => text.replace(/\s*\n\s*/g, ' ');

export const xsum = summaryTask({
  name: 'xsum',
  description: 'XSum: .jsonl with document and summary, or .source and .target',
  settings: { epochs: 6, learningRate: 1e-5, batchSize: 8 },
  writing: { beams: 6, lengthPenalty: 1, minTargetLength: 10, noRepeatNgram: 3 },
  lengths: { source: 608, target: 60 },
  form: {
    sourceFields: ['document', 'source'],
    targetFields: ['summary', 'target'],
    source: asWritten,
    target: (text) => [asWritten(text)],
  },
});
