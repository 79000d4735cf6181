/** What CB and RTE have in common: a premise, and a hypothesis that follows from it or not. */

import { blank, type ClozeRecord, cuttable, type Question } from '../cloze.js';
import type { Fields } from '../data-files.js';
import { withoutFinalPunctuation } from './words.js';

export interface Entailment extends ClozeRecord {
  idx: number;
  premise: string;
  hypothesis: string;
}

export function readEntailment(labels: readonly string[]) {
  return function* (line: Fields): Iterable<Entailment> {
    yield {
      where: line.where,
      idx: line.integer('idx'),
      premise: line.text('premise'),
      hypothesis: line.text('hypothesis'),
      label: line.label(labels),
    };
  };
}

/** Patterns 0 to 3 of the original: the hypothesis as a question, an answer, and the premise, with or without quotes. */
export function entailmentPatterns(answers: readonly string[]): ((record: Entailment) => Question)[] {
  const quoted =
    (mark: string) =>
    (record: Entailment): Question => ({
      parts: ['"', hypothesisOf(record), '" ?', blank, `${mark} "`, cuttable(record.premise), '"'],
      second: 3,
      answers,
    });
  const plain =
    (mark: string) =>
    (record: Entailment): Question => ({
      parts: [hypothesisOf(record), '?', blank, mark, cuttable(` ${record.premise}`)],
      second: 2,
      answers,
    });
  return [quoted(','), plain(','), quoted('.'), plain('.')];
}

const hypothesisOf = ({ hypothesis }: Entailment) => cuttable(withoutFinalPunctuation(hypothesis));
