/**
 * The Winograd schema challenge as SuperGLUE has it: does a span say what a pronoun refers to? The span is written into a
 * blank. It is ranked against the other spans that are asked about with the same pronoun of the same text; where there are
 * none, the model writes its own, which has to be the same up to words that only one of them has.
 */

import type { GLM } from '../../glm.js';
import {
  blank,
  type ClozeOptions,
  type ClozeRecord,
  type ClozeTask,
  clozeTask,
  cuttable,
  prepareCloze,
  type Question,
} from '../cloze.js';
import { dataError } from '../data-files.js';
import type { Task } from '../task.js';
import { labelAccuracy } from './metrics.js';

interface Wsc extends ClozeRecord {
  idx: number;
  /** With *stars* around the pronoun. */
  text: string;
  pronoun: string;
  span: string;
  /** Other spans for the same pronoun. */
  others: readonly string[];
  /** Whether the pronoun refers to the span. */
  refers?: boolean | undefined;
}

const ask =
  (question: (pronoun: string) => string) =>
  ({ text, pronoun, span, others }: Wsc): Question => ({
    parts: [cuttable(text), question(`'*${pronoun}*'`), blank, '.'],
    answers: [span, ...others].map((answer) => ` ${answer}`),
  });

const cloze: ClozeTask<Wsc> = {
  name: 'wsc',
  description: 'SuperGLUE WSC: what a pronoun refers to',
  settings: { epochs: 50 },
  freeAnswers: true,
  generative: true,
  *read(line) {
    const target = line.object('target');
    const words = line.text('text').split(/\s+/).filter(Boolean);
    const place = target.integer('span2_index');
    if (words[place] === undefined)
      throw dataError(line.where, `span2_index below the ${words.length} words of the text`, place);
    words[place] = `*${words[place]}*`;
    const right = line.label(['false', 'true']);
    yield {
      where: line.where,
      idx: line.integer('idx'),
      text: words.join(' '),
      pronoun: target.text('span2_text'),
      span: target.text('span1_text'),
      others: [],
      label: right === undefined ? undefined : 0,
      refers: right === undefined ? undefined : right === 1,
    };
  },
  gather: (records) =>
    records.map((record) => {
      const same = records.filter(({ text, span }) => text === record.text && span !== record.span);
      return { ...record, others: [...new Set(same.map(({ span }) => span))] };
    }),
  learns: ({ refers }) => refers === true,
  patterns: [
    ask((pronoun) => ` The pronoun ${pronoun} refers to`),
    ask((pronoun) => ` In the previous sentence, the pronoun ${pronoun} refers to`),
    ask((pronoun) => ` Question: In the passage above, what does the pronoun ${pronoun} refer to? Answer:`),
  ],
  score: (records, predictions) =>
    labelAccuracy(
      records.map(({ refers }) => ({ label: refers === true ? 1 : 0 })),
      predictions,
    ),
  predictionLines: (records, predictions) =>
    records.map(({ idx }, i) =>
      JSON.stringify({ idx, label: predictions[i]!.choice === 1 ? 'True' : 'False' }),
    ),
};

const words = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);

/** Whether all words of one text are in the other. */
function agree(first: string, second: string): boolean {
  const [one, other] = [words(first), words(second)].sort((a, b) => a.size - b.size) as [
    Set<string>,
    Set<string>,
  ];
  return one.size > 0 && [...one].every((word) => other.has(word));
}

/** The choice of a prediction is 1 where the pronoun refers to the span. */
export const wsc: Task<Wsc> = {
  ...clozeTask(cloze),
  async prepare(options: ClozeOptions) {
    const prepared = prepareCloze(cloze, options);
    const { special } = options.tokenizer;
    return {
      examples: (records) => prepared.examples(records),
      score: prepared.score,
      predictionLines: prepared.predictionLines,
      async predict(model: GLM, records, signal) {
        const ranked = await prepared.predict(model, records, signal);
        const contexts = await Promise.all(records.map((record) => prepared.context(record)));
        const written = await model.fill(contexts, { maxTokens: 16, special, signal });
        return records.map(({ span, others }, i) => {
          const isRight =
            others.length > 0 ? ranked[i]!.choice === 0 : agree(span, written[i]!.blanks[0]!.text);
          return { ...ranked[i]!, choice: isRight ? 1 : 0 };
        });
      },
    };
  },
};
