/** Words in context (Pilehvar and Camacho-Collados 2019): has a word the same sense in two sentences? */

import { blank, clozeTask, type ClozeRecord, cuttable } from '../cloze.js';
import { labelAccuracy } from './metrics.js';
import { labelLines } from './predictions.js';

interface Wic extends ClozeRecord {
  idx: number;
  word: string;
  sentence1: string;
  sentence2: string;
}

const labels = ['false', 'true'];
const noYes = [' No', ' Yes'];

export const wic = clozeTask<Wic>({
  name: 'wic',
  description: 'SuperGLUE WiC: the same sense of a word or not',
  settings: { epochs: 30 },
  *read(line) {
    yield {
      where: line.where,
      idx: line.integer('idx'),
      word: line.text('word'),
      sentence1: line.text('sentence1'),
      sentence2: line.text('sentence2'),
      label: line.label(labels),
    };
  },
  classifier: {
    labels: 2,
    texts: ({ word, sentence1, sentence2 }) => [`${word}: ${sentence1}`, sentence2],
  },
  patterns: [
    ({ word, sentence1, sentence2 }) => ({
      parts: [cuttable(`"${sentence1}" / "${sentence2}"`), ` Similar sense of "${word}"?`, blank, '.'],
      answers: noYes,
    }),
    ({ word, sentence1, sentence2 }) => ({
      parts: [
        cuttable(sentence1),
        cuttable(` ${sentence2}`),
        ` Does ${word} have the same meaning in both sentences?`,
        blank,
      ],
      answers: noYes,
    }),
    ({ word, sentence1, sentence2 }) => ({
      parts: [word, ' .', ' Sense (1) (a) "', cuttable(sentence1), '"', ' (', blank, ') "', sentence2, '"'],
      answers: ['2', 'b'],
    }),
  ],
  score: labelAccuracy,
  predictionLines: (records, predictions) => labelLines(records, predictions, labels),
});
