/** COPA (Roemmele et al. 2011): which of two sentences is the cause, or the effect, of the premise? */

import { blank, clozeTask, type ClozeRecord, cuttable, type Part, type Question } from '../cloze.js';
import { dataError } from '../data-files.js';
import { labelAccuracy } from './metrics.js';
import { labelLines } from './predictions.js';
import { withLowerCaseFirst, withoutFinalPunctuation } from './words.js';

interface Copa extends ClozeRecord {
  idx: number;
  premise: string;
  choices: readonly [string, string];
  question: 'cause' | 'effect';
}

/** The right choice is written into the blank behind "because" or "so". */
const choose =
  (choices: (first: string, second: string) => Part[]) =>
  (record: Copa): Question => {
    const [first, second] = record.choices;
    const link = record.question === 'cause' ? ' because' : ', so';
    return {
      parts: [
        ...choices(first, second),
        cuttable(withoutFinalPunctuation(` ${record.premise}`)),
        link,
        blank,
        '.',
      ],
      answers: [` ${first}`, ` ${second}`],
    };
  };

/** "because" or "so" is written between the premise and each choice. */
function link({ premise, choices, question }: Copa): Question {
  const answer = question === 'cause' ? ' because' : ' so';
  const [first, second] = choices;
  return {
    parts: choices.map((choice): Part[] => {
      const premiseText = cuttable(withoutFinalPunctuation(premise));
      return ['"', first, '" or "', second, '"?', premiseText, blank, ` ${choice}`];
    }),
    answers: [answer, answer],
  };
}

export const copa = clozeTask<Copa>({
  name: 'copa',
  description: 'SuperGLUE COPA: the likelier cause or effect',
  settings: { epochs: 50 },
  freeAnswers: true,
  *read(line) {
    const question = line.text('question');
    if (question !== 'cause' && question !== 'effect')
      throw dataError(line.where, 'cause or effect in the field question', question);
    const choice = (name: string) => withoutFinalPunctuation(withLowerCaseFirst(line.text(name)));
    yield {
      where: line.where,
      idx: line.integer('idx'),
      premise: line.text('premise'),
      choices: [choice('choice1'), choice('choice2')],
      question,
      label: line.label(['0', '1']),
    };
  },
  patterns: [
    choose((first, second) => ['"', first, '" or "', second, '"?']),
    choose((first, second) => [first, ' or', ` ${second}`, '?']),
    link,
  ],
  score: labelAccuracy,
  predictionLines: (records, predictions) => labelLines(records, predictions, [0, 1]),
});
