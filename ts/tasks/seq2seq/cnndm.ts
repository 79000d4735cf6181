/** CNN/DailyMail (Hermann et al. 2015; Nallapati et al. 2016), tokenized as most papers score it, and as it was written. */

import { detokenizeCnnDm, withPlainPunctuation } from './detokenize.js';
import { summaryTask } from './summary-task.js';

const writing = { beams: 5, lengthPenalty: 0.7, minTargetLength: 55, noRepeatNgram: 3 };
const lengths = { source: 608, target: 160 };
const fields = {
  sourceFields: ['source', 'article', 'document', 'text'],
  targetFields: ['target', 'highlights', 'summary'],
};

export const cnndm = summaryTask({
  name: 'cnndm',
  description: 'CNN/DailyMail, tokenized: .source and .target with <S_SEP> between sentences',
  settings: { epochs: 15, learningRate: 3e-5, batchSize: 8 },
  ...{ writing, lengths },
  form: {
    ...fields,
    source: (text) => detokenizeCnnDm(text.replaceAll('<S_SEP>', '')),
    target: (text) => text.split(/<S_SEP>|\n/).map((sentence) => detokenizeCnnDm(sentence).trim()),
  },
  separated: true,
});

export const cnndmOriginal = summaryTask({
  name: 'cnndm-original',
  description: 'CNN/DailyMail as it was written: .source and .target, or .jsonl with article and highlights',
  settings: { epochs: 10, learningRate: 1e-5, batchSize: 8 },
  ...{ writing, lengths },
  form: {
    ...fields,
    source: withPlainPunctuation,
    target: (text) => text.split('\n').map((sentence) => withPlainPunctuation(sentence).trim()),
  },
});
