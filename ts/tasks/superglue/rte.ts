/** Recognizing textual entailment (Dagan et al. 2006 and later). */

import { blank, clozeTask, cuttable } from '../cloze.js';
import { type Entailment, entailmentPatterns, readEntailment } from './entailment.js';
import { labelAccuracy } from './metrics.js';
import { labelLines } from './predictions.js';
import { withoutFinalPunctuation } from './words.js';

const labels = ['entailment', 'not_entailment'];

export const rte = clozeTask<Entailment>({
  name: 'rte',
  description: 'SuperGLUE RTE: does the premise entail the hypothesis?',
  settings: { epochs: 50 },
  read: readEntailment(labels),
  classifier: { labels: 2, texts: ({ premise, hypothesis }) => [premise, hypothesis] },
  patterns: [
    ...entailmentPatterns([' Yes', ' No']),
    ({ premise, hypothesis }) => ({
      parts: [
        cuttable(premise),
        ' question:',
        cuttable(` ${withoutFinalPunctuation(hypothesis)}`),
        ' True or False? answer:',
        blank,
      ],
      answers: [' true', ' false'],
    }),
  ],
  score: labelAccuracy,
  predictionLines: (records, predictions) => labelLines(records, predictions, labels),
});
