/** CommitmentBank (de Marneffe et al. 2019): does the speaker hold the hypothesis to be true? */

import { blank, clozeTask, cuttable } from '../cloze.js';
import { type Entailment, entailmentPatterns, readEntailment } from './entailment.js';
import { labelAccuracyAndF1 } from './metrics.js';
import { labelLines } from './predictions.js';

const labels = ['entailment', 'contradiction', 'neutral'];

export const cb = clozeTask<Entailment>({
  name: 'cb',
  description: 'SuperGLUE CB: entailment, contradiction or neither',
  settings: { epochs: 50 },
  read: readEntailment(labels),
  classifier: { labels: 3, texts: ({ premise, hypothesis }) => [premise, hypothesis] },
  patterns: [
    ...entailmentPatterns([' Yes', ' No', ' Maybe']),
    ({ premise, hypothesis }) => ({
      parts: [
        cuttable(premise),
        ' question:',
        cuttable(` ${hypothesis}`),
        ' true, false or neither? answer:',
        blank,
      ],
      answers: [' true', ' false', ' neither'],
    }),
  ],
  score: labelAccuracyAndF1,
  predictionLines: (records, predictions) => labelLines(records, predictions, labels),
});
