/** ReCoRD (Zhang et al. 2018): which entity of a news text belongs into the gap of a sentence about it? */

import { blank, clozeTask, type ClozeRecord, cuttable } from '../cloze.js';
import { dataError } from '../data-files.js';
import { textAnswerMetrics } from '../../metrics/answers.js';

interface ReCoRD extends ClozeRecord {
  idx: number;
  passage: string;
  /** The sentence before and behind the gap. */
  before: string;
  behind: string;
  entities: readonly string[];
  answers: readonly string[];
}

const gap = '@placeholder';

export const record = clozeTask<ReCoRD>({
  name: 'record',
  description: 'SuperGLUE ReCoRD: the entity in the gap of a sentence about a text',
  settings: { epochs: 5 },
  maxLength: 512,
  bestBy: 'f1',
  freeAnswers: true,
  *read(line) {
    const passage = line.object('passage');
    const text = passage.text('text');
    const entities = new Set(
      passage
        .objects('entities')
        .map((entity) => text.slice(entity.integer('start'), entity.integer('end') + 1)),
    );
    // The original puts the highlights behind the article as sentences of it.
    const article = text.replaceAll('@highlight\n', '- ');
    for (const query of line.objects('qas')) {
      const [before, behind, ...more] = query.text('query').split(gap);
      if (behind === undefined || more.length > 0)
        throw dataError(line.where, `one ${gap} in the field query`, query.get('query'));
      const answers = query.has('answers')
        ? query.objects('answers').map((answer) => answer.text('text'))
        : [];
      const choices = [...entities];
      const right = choices.map((_, i) => i).filter((i) => answers.includes(choices[i]!));
      if (query.has('answers') && right.length === 0)
        throw dataError(line.where, 'an answer among the entities', answers.join(', '));
      yield {
        where: line.where,
        idx: query.integer('idx'),
        passage: article,
        before: before!,
        behind,
        entities: choices,
        answers,
        label: right[0],
        alsoRight: right.slice(1),
      };
    }
  },
  patterns: [
    ({ passage, before, behind, entities }) => ({
      parts: [cuttable(passage), ` ${before.trimEnd()}`, blank, behind],
      answers: entities.map((entity) => ` ${entity}`),
    }),
  ],
  score: (records, predictions) =>
    textAnswerMetrics(
      records.map(({ entities, answers }, i) => ({ predicted: entities[predictions[i]!.choice!]!, answers })),
    ),
  predictionLines: (records, predictions) =>
    records.map(({ idx, entities }, i) => JSON.stringify({ idx, label: entities[predictions[i]!.choice!] })),
});
