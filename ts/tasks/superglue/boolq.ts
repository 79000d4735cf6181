/** BoolQ (Clark et al. 2019): a yes/no question about a passage. */

import { labelAccuracy } from './metrics.js';
import { blank, clozeTask, type ClozeRecord, cuttable, type Question } from '../cloze.js';
import { labelLines } from './predictions.js';

interface BoolQ extends ClozeRecord {
  idx: number;
  passage: string;
  question: string;
}

const labels = ['false', 'true'];
const noYes = [' No', ' Yes'];
const falseTrue = [' false', ' true'];

const question =
  (answers: string[]) =>
  ({ passage, question }: BoolQ): Question => ({
    parts: [cuttable(passage), ' Question:', cuttable(` ${question}`), '? Answer:', blank, '.'],
    answers,
  });
const based =
  (answers: string[]) =>
  ({ passage, question }: BoolQ): Question => ({
    parts: [cuttable(passage), ' Based on the previous passage,', cuttable(` ${question}`), '?', blank, '.'],
    answers,
  });
const following =
  (answers: string[]) =>
  ({ passage, question }: BoolQ): Question => ({
    parts: [
      'Based on the following passage',
      cuttable(` ${question}`),
      '?',
      blank,
      '.',
      cuttable(` ${passage}`),
    ],
    answers,
  });

export const boolq = clozeTask<BoolQ>({
  name: 'boolq',
  description: 'SuperGLUE BoolQ: yes/no questions about a passage',
  settings: { epochs: 20 },
  *read(line) {
    yield {
      where: line.where,
      idx: line.integer('idx'),
      passage: line.text('passage'),
      question: line.text('question'),
      label: line.label(labels),
    };
  },
  classifier: { labels: 2, texts: ({ passage, question }) => [passage, question] },
  patterns: [
    question(noYes),
    question(falseTrue),
    based(noYes),
    based(falseTrue),
    following(noYes),
    following(falseTrue),
  ],
  score: labelAccuracy,
  predictionLines: (records, predictions) => labelLines(records, predictions, labels),
});
