/** Metrics of labels and answers, by hand; perplexities. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { accuracy, macroF1 } from '../../ts/metrics/accuracy.js';
import { multiRcMetrics, textAnswerMetrics } from '../../ts/metrics/answers.js';
import { perplexity, adjustedPerplexity } from '../../ts/metrics/perplexity.js';

const answers = suite('metrics: labels and answers');

answers('accuracy', () => {
  assert.is(accuracy(['a', 'b', 'c', 'd'], ['a', 'b', 'x', 'x']), 50);
  assert.is(accuracy([], []), 0);
});

answers('macro F1 counts every label that occurs once', () => {
  // a: 2 of 2 found, 1 too many: 2·2/(2+3); b: 1 of 2 found: 2·1/(2+1); c: never found.
  const found = macroF1(['a', 'a', 'b', 'b', 'c'], ['a', 'a', 'b', 'a', 'd']);
  assert.ok(Math.abs(found - (100 * (0.8 + 2 / 3 + 0 + 0)) / 4) < 1e-9);
});

answers('MultiRC: F1 over all answers, questions that are judged right altogether', () => {
  const judged = (question: string, label: boolean, predicted: boolean) => ({ question, label, predicted });
  const found = multiRcMetrics([
    judged('1', true, true),
    judged('1', false, false),
    judged('2', true, true),
    judged('2', false, true),
    judged('3', true, false),
  ]);
  // 2 found of 3 right, 1 wrongly.
  assert.ok(Math.abs(found.f1a - 100 * (4 / 6)) < 1e-9);
  assert.ok(Math.abs(found.exactMatch - 100 / 3) < 1e-9);
});

answers('answers as texts: case, punctuation and articles do not count', () => {
  const of = (predicted: string, ...right: string[]) => textAnswerMetrics([{ predicted, answers: right }]);
  assert.equal(of('The Cat!', 'a cat'), { f1: 100, exactMatch: 100 });
  assert.equal(of('black cat', 'dog', 'cat'), { f1: 200 / 3, exactMatch: 0 });
  assert.equal(of('dog', 'cat'), { f1: 0, exactMatch: 0 });
  // Words count as often as they occur; an article within a word stays.
  assert.equal(of('no no no', 'no'), { f1: 50, exactMatch: 0 });
  assert.equal(of('éa', 'é'), { f1: 0, exactMatch: 0 });
  assert.equal(of('', 'the'), { f1: 100, exactMatch: 100 });
  assert.equal(of('', 'cat'), { f1: 0, exactMatch: 0 });
  assert.equal(of('cat'), { f1: 0, exactMatch: 0 });
  const two = textAnswerMetrics([
    { predicted: 'cat', answers: ['cat'] },
    { predicted: 'cat', answers: ['dog'] },
  ]);
  assert.equal(two, { f1: 50, exactMatch: 50 });
});

answers('perplexity of a token and of a word', () => {
  const sum = { loss: 20, tokens: 10 };
  assert.is(perplexity(sum), Math.exp(2));
  assert.is(adjustedPerplexity(sum, 10, 5), Math.exp(4));
  assert.is(Number.isNaN(perplexity({ loss: 0, tokens: 0 })), true);
});

answers.run();
