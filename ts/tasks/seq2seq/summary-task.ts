/** Summaries: the blank, ` Content:`, and the text. Scored with ROUGE over stems, as the paper reports it. */

import { meanRouge, rouge } from '../../metrics/rouge.js';
import type { Scores, TaskSettings } from '../task.js';
import { joinWords, withoutRepeats } from './post-process.js';
import { type Seq2SeqTask, seq2SeqTask, type Tools } from './seq2seq-task.js';
import { type PairForm, readPairs, type TextPair } from './text-pairs.js';

export interface SummaryTask {
  name: string;
  description: string;
  settings: Partial<TaskSettings> & { learningRate: number };
  writing: Seq2SeqTask<TextPair>['writing'];
  lengths: { source: number; target: number };
  form: PairForm;
  /** Sentences of targets are learned with the separator [SEP] between them, and told apart by it. Default false. */
  separated?: boolean;
  /** What post-processing makes of a sentence that was not cut into word pieces. */
  asInFile?: (sentence: string) => string;
}

export function summaryTask(task: SummaryTask) {
  const { name, description, settings, writing, lengths, form } = task;
  const separated = task.separated ?? false;
  return seq2SeqTask<TextPair>({
    ...{ name, description, settings, writing, lengths },
    bestBy: 'rouge1',
    read: (file, bad) => readPairs(file, form, bad),
    async context({ source }, maxLength, { tokenizer, special, blank }) {
      const prompt = await tokenizer.encode(' Content:');
      const text = await tokenizer.encode(` ${source}`);
      return [special.cls, blank, ...prompt, ...text].slice(0, maxLength);
    },
    target: ({ target }, tools) => joinSentences(target, separated, tools),
    async score(records, predictions, tools) {
      const pairs = await Promise.all(
        records.map(async ({ target }, i) => {
          if (!tools.postProcess)
            return { reference: target, candidate: sentencesOf(predictions[i]!, separated, tools) };
          const fixed = (sentence: string) => fixSentence(sentence, task, tools);
          // What the tokenizer cannot write in the reference is not expected of the model either.
          const seen = await tools.tokenizer.decode(
            await tools.tokenizer.encode(joinSentences(target, separated, tools)),
          );
          const split = (text: string) => (separated ? text.split(tools.separator) : [text]);
          return {
            reference: split(seen).map(fixed),
            candidate: withoutRepeats(split(predictions[i]!).map(fixed)),
          };
        }),
      );
      const mean = meanRouge(pairs.map((pair) => rouge(pair, { stem: true })));
      const scores: Scores = {};
      for (const measure of ['rouge1', 'rouge2', 'rougeLsum'] as const) scores[measure] = mean[measure].f;
      return scores;
    },
  });
}

function joinSentences(sentences: readonly string[], separated: boolean, { separator }: Tools): string {
  return sentences.join(separated ? ` ${separator} ` : ' ');
}

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

/** The sentences of what a model wrote. */
function sentencesOf(text: string, separated: boolean, { separator }: Tools): string[] {
  const sentences = separated
    ? text.split(separator)
    : Array.from(segmenter.segment(text), ({ segment }) => segment);
  return sentences.map((sentence) => sentence.trim()).filter((sentence) => sentence !== '');
}

function fixSentence(sentence: string, { asInFile }: SummaryTask, { tokenizer }: Tools): string {
  if (tokenizer.definition.subwords.type === 'wordpiece') return joinWords(sentence);
  return asInFile?.(sentence) ?? sentence.trim();
}
