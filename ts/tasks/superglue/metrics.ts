/** The official metrics of SuperGLUE's tasks, from 0 to 100. */

import type { Prediction } from '../task.js';

interface Labelled {
  label?: number | undefined;
}

const percent = (values: readonly number[]) =>
  values.length === 0 ? 0 : (100 * values.reduce((sum, value) => sum + value, 0)) / values.length;

export function accuracyOf(records: readonly Labelled[], predictions: readonly Prediction[]) {
  return { accuracy: percent(records.map(({ label }, i) => (label === predictions[i]!.choice ? 1 : 0))) };
}

/** CB: accuracy, and the mean of the labels' F1, of those that occur at all. */
export function accuracyAndF1Of(labels: readonly string[]) {
  return (records: readonly Labelled[], predictions: readonly Prediction[]) => {
    const scores = labels.flatMap((_, label) => {
      const right = records.map((record) => record.label === label);
      const predicted = predictions.map(({ choice }) => choice === label);
      const occurs = right.some(Boolean) || predicted.some(Boolean);
      return occurs ? [f1(right, predicted)] : [];
    });
    return { ...accuracyOf(records, predictions), f1: percent(scores) };
  };
}

function f1(right: readonly boolean[], predicted: readonly boolean[]): number {
  const both = right.filter((is, i) => is && predicted[i]).length;
  const all = right.filter(Boolean).length + predicted.filter(Boolean).length;
  return all === 0 ? 0 : (2 * both) / all;
}

/** MultiRC: F1 over all answers, and the share of questions whose answers are all judged right. */
export function multiRcMetrics(answers: readonly { question: string; label: boolean; predicted: boolean }[]) {
  const questions = new Map<string, boolean>();
  for (const { question, label, predicted } of answers)
    questions.set(question, (questions.get(question) ?? true) && label === predicted);
  const f1a = 100 * f1(answers.map(({ label }) => label), answers.map(({ predicted }) => predicted)); // prettier-ignore
  return { f1a, exactMatch: percent([...questions.values()].map(Number)) };
}

/** ReCoRD: the best word overlap with an answer, and the share of predictions that are an answer. */
export function recordMetrics(queries: readonly { predicted: string; answers: readonly string[] }[]) {
  const best = (measure: (a: string, b: string) => number) =>
    percent(
      queries.map(({ predicted, answers }) =>
        Math.max(0, ...answers.map((answer) => measure(predicted, answer))),
      ),
    );
  return { f1: best(overlap), exactMatch: best((a, b) => (normalize(a) === normalize(b) ? 1 : 0)) };
}

/** Lower case, no punctuation, no articles, single spaces (the script of SQuAD v1.1). */
function normalize(text: string): string {
  const plain = text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, '');
  return plain.replace(/\b(a|an|the)\b/g, ' ').split(/\s+/).filter(Boolean).join(' '); // prettier-ignore
}

function overlap(predicted: string, answer: string): number {
  const [own, other] = [normalize(predicted).split(' '), normalize(answer).split(' ')];
  const left = [...other];
  const common = own.filter((word) => {
    const place = left.indexOf(word);
    if (place >= 0) left.splice(place, 1);
    return place >= 0;
  }).length;
  return (2 * common) / (own.length + other.length);
}
