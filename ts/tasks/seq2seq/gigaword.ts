/** Gigaword (Rush et al. 2015): the headline of a sentence. */

import { detokenizeGigaword } from './detokenize.js';
import { summaryTask } from './summary-task.js';

export const gigaword = summaryTask({
  name: 'gigaword',
  description: 'Gigaword headlines: .source and .target, or .jsonl with document and summary',
  settings: { epochs: 10, learningRate: 3e-5, batchSize: 16, evaluationBatchSize: 16 },
  writing: { beams: 5, lengthPenalty: 0.6, minTargetLength: 0, noRepeatNgram: 3 },
  lengths: { source: 192, target: 32 },
  form: {
    sourceFields: ['document', 'source'],
    targetFields: ['summary', 'target'],
    source: detokenizeGigaword,
    target: (text) => [detokenizeGigaword(text)],
  },
  asInFile: (sentence) => sentence.trim().replaceAll('[UNK]', 'UNK'),
});
