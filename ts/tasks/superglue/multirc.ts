/** MultiRC (Khashabi et al. 2018): which of many answers to a question about a passage are right? Any number may be. */

import { blank, clozeTask, type ClozeRecord, cuttable } from '../cloze.js';
import { multiRcMetrics } from '../../metrics/answers.js';
import { withoutFinalPunctuation } from './words.js';

interface MultiRc extends ClozeRecord {
  /** Of the passage, the question and the answer. */
  idx: readonly [number, number, number];
  passage: string;
  question: string;
  answer: string;
}

const noYes = [' No', ' Yes'];
const passageOf = ({ passage }: MultiRc) => cuttable(withoutFinalPunctuation(passage.trimEnd()));
const questionOf = ({ question }: MultiRc) => ` ${withoutFinalPunctuation(question.trimEnd())}`;

const asked = (record: MultiRc) => [passageOf(record), '.', ' Question:', questionOf(record), '?'];

export const multirc = clozeTask<MultiRc>({
  name: 'multirc',
  description: 'SuperGLUE MultiRC: all right answers to a question about a passage',
  settings: { epochs: 15 },
  maxLength: 512,
  bestBy: 'f1a',
  *read(line) {
    const passage = line.object('passage');
    const text = passage.text('text');
    for (const question of passage.objects('questions')) {
      for (const answer of question.objects('answers')) {
        yield {
          where: line.where,
          idx: [line.integer('idx'), question.integer('idx'), answer.integer('idx')],
          passage: text,
          question: question.text('question'),
          answer: answer.text('text'),
          label: answer.label(['0', '1']),
        };
      }
    }
  },
  classifier: { labels: 2, texts: ({ passage, question, answer }) => [passage, `${question} ${answer}`] },
  patterns: [
    (record) => ({
      parts: [...asked(record), ' Is it', ` ${record.answer}`, '?', blank, '.'],
      answers: noYes,
    }),
    (record) => ({
      parts: [...asked(record), ' Is the correct answer "', record.answer, '"?', blank, '.'],
      answers: noYes,
    }),
    (record) => ({
      parts: [passageOf(record), '. Based on the previous passage,', questionOf(record), '?', ' Is "', record.answer, '" a correct answer?', blank, '.'], // prettier-ignore
      answers: noYes,
    }),
    (record) => ({
      parts: [passageOf(record), questionOf(record), '- [', blank, ']', record.answer],
      answers: [' False', ' True'],
    }),
    (record) => ({
      parts: [...asked(record), ` ${record.answer}`, '?', blank, '.'],
      answers: noYes,
    }),
  ],
  score: (records, predictions) =>
    multiRcMetrics(
      records.map(({ idx, label }, i) => ({
        question: `${idx[0]} ${idx[1]}`,
        label: label === 1,
        predicted: predictions[i]!.choice === 1,
      })),
    ),
  predictionLines(records, predictions) {
    const passages = new Map<number, Map<number, { idx: number; label: number }[]>>();
    for (const [i, { idx }] of records.entries()) {
      const [passage, question, answer] = idx;
      const questions = passages.get(passage) ?? new Map<number, { idx: number; label: number }[]>();
      passages.set(passage, questions);
      questions.set(question, [
        ...(questions.get(question) ?? []),
        { idx: answer, label: predictions[i]!.choice! },
      ]);
    }
    return [...passages].map(([idx, questions]) =>
      JSON.stringify({
        idx,
        passage: { questions: [...questions].map(([idx, answers]) => ({ idx, answers })) },
      }),
    );
  },
});
