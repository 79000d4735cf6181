/** Metrics of answers to questions, from 0 to 100. */

import { f1Of } from './accuracy.js';
import { mean, percent } from './mean.js';

/** A judgement on one of a question's answers: whether it is right. */
export interface JudgedAnswer {
  question: string;
  label: boolean;
  predicted: boolean;
}

/** MultiRC (Khashabi et al. 2018): F1 over all answers, and the share of questions whose answers are all judged right. */
export function multiRcMetrics(answers: readonly JudgedAnswer[]): { f1a: number; exactMatch: number } {
  const questions = new Map<string, boolean>();
  for (const { question, label, predicted } of answers)
    questions.set(question, (questions.get(question) ?? true) && label === predicted);
  const labels = answers.map(({ label }) => label);
  const predicted = answers.map(({ predicted }) => predicted);
  return { f1a: f1Of(true, labels, predicted), exactMatch: percent([...questions.values()]) };
}

/** What a model answers, and the answers that are right. */
export interface TextAnswer {
  predicted: string;
  answers: readonly string[];
}

/**
 * SQuAD and ReCoRD (Rajpurkar et al. 2016): the share of answers that are one of the right ones, and the mean overlap of
 * words with the right one that is nearest. Case, punctuation and articles do not count.
 */
export function textAnswerMetrics(questions: readonly TextAnswer[]): { f1: number; exactMatch: number } {
  const normalized = questions.map(({ predicted, answers }) => ({
    predicted: normalize(predicted),
    answers: answers.map(normalize),
  }));
  return {
    f1: mean(
      normalized.map(({ predicted, answers }) =>
        Math.max(0, ...answers.map((answer) => wordF1(predicted, answer))),
      ),
    ),
    exactMatch: percent(normalized.map(({ predicted, answers }) => answers.includes(predicted))),
  };
}

/** Lower case, no punctuation, no articles, single spaces. */
function normalize(text: string): string {
  const plain = text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, '');
  const withoutArticles = plain.replace(/(?<![\p{L}\p{N}])(a|an|the)(?![\p{L}\p{N}])/gu, ' ');
  return withoutArticles.split(/\s+/).filter(Boolean).join(' ');
}

/** Of two normalized texts; words count as often as they occur. */
function wordF1(predicted: string, answer: string): number {
  const [own, left] = [predicted.split(' '), answer.split(' ')];
  const total = own.length + left.length;
  const common = own.filter((word) => {
    const place = left.indexOf(word);
    if (place >= 0) left.splice(place, 1);
    return place >= 0;
  }).length;
  return (200 * common) / total;
}
