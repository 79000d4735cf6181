/**
 * Learning which of several answers is right (cloze fine-tuning: paper, section 2.3): the answers are scored by the model,
 * and the loss is the cross-entropy of a softmax over the scores.
 */

import type { Batch, Decision } from '../data/batch.js';
import { GlmError } from '../errors.js';
import type { NativeBatch, NativeTensor } from '../native.js';
import { record, scope } from '../tensor/scope.js';
import { feed, rowsWithLoss } from './feed.js';
import { sum } from './gradients.js';
import { hiddenStates, type Network, rowLosses, type Training } from './transformer.js';

interface GradientOptions {
  gradientScale: number;
  training?: Training;
}

/** How many losses a batch has: one per loss token, or per question where it decides. */
export function lossCount(batch: Batch): number {
  return batch.decision?.labels.length ?? rowsWithLoss(batch).rows.length;
}

/** Adds the gradient of gradientScale · Σ losses of a batch's questions, and gives the losses, one per question. */
export function accumulateDecisionGradients(
  network: Network,
  batch: Batch,
  decision: Decision,
  options: GradientOptions,
): Promise<Float32Array> {
  checkDecision(batch, decision);
  return decision.kind === 'choices'
    ? choiceGradients(network, batch, decision, options)
    : classGradients(network, batch, decision, options);
}

/**
 * Scores a choice by the sum of its tokens' log-probabilities (`GLMForMultiTokenCloze` of the original). With p the softmax
 * over the scores, a choice's score has the gradient p - [right]; so a token's loss, its negative log-probability, counts
 * [right] - p. That takes the scores first: a second forward pass, which draws the same dropout.
 */
async function choiceGradients(
  network: Network,
  batch: Batch,
  { offsets, labels, generative = false }: Decision & { kind: 'choices' },
  options: GradientOptions,
): Promise<Float32Array> {
  const { device } = network;
  const wanted = rowsWithLoss(batch);
  const first = feed(network, batch, wanted);
  const tensor = rowLosses(network, first, options.training ? { training: options.training } : {});
  const pending = tensor.read();
  tensor.dispose();
  first.dispose();
  const scores = scoresOfExamples(batch, wanted.rows, (await pending) as Float32Array);

  const losses = new Float32Array(labels.length);
  const weightOfExample = new Float32Array(batch.contextLengths.length);
  for (const [q, label] of labels.entries()) {
    const [begin, end] = [offsets[q]!, offsets[q + 1]!];
    const logs = logSoftmax(scores.subarray(begin, end));
    losses[q] = -logs[label]! - (generative ? scores[begin + label]! : 0);
    const right = generative ? 2 : 1; // the loss of writing it counts once more
    logs.forEach((log, c) => (weightOfExample[begin + c] = (c === label ? right : 0) - Math.exp(log)));
  }
  const weights = Float32Array.from(
    exampleOfRows(batch, wanted.rows),
    (example) => weightOfExample[example]!,
  );
  const second = feed(network, batch, { ...wanted, weights });
  scope(device, () =>
    record(device, () => {
      device.backward(rowLosses(network, second, options));
      return undefined;
    }),
  );
  second.dispose();
  return losses;
}

/** One pass: a softmax over the words of the classes alone (`GLMForSingleTokenCloze`), or over a classifier's classes. */
function classGradients(
  network: Network,
  batch: Batch,
  decision: Decision & { kind: 'words' | 'classes' },
  { gradientScale, training }: GradientOptions,
): Promise<Float32Array> {
  const { device } = network;
  const input = feed(network, batch, { rows: decisionRows(batch, decision) });
  const questions = labelBatch(network, decision);
  let values: Promise<unknown> = Promise.resolve();
  scope(device, () =>
    record(device, () => {
      const hidden = device.gatherRows(input, hiddenStates(network, input, training));
      const [rows, classes] = classInputs(network, hidden, decision);
      const losses = device.crossEntropy(questions, rows, classes, { gradientScale });
      device.backward(losses);
      values = losses.read();
      return undefined;
    }),
  );
  input.dispose();
  questions.dispose();
  return values as Promise<Float32Array>;
}

/** The scores of the classes of each question: [questions, classes], logits. */
export async function classScores(
  network: Network,
  batch: Batch,
  decision: Decision & { kind: 'words' | 'classes' },
): Promise<Float32Array[]> {
  checkDecision(batch, decision);
  const { device } = network;
  const input = feed(network, batch, { rows: decisionRows(batch, decision) });
  const logits = scope(device, () => {
    const hidden = device.gatherRows(input, hiddenStates(network, input));
    const [rows, classes] = classInputs(network, hidden, decision);
    return device.linear(device.cast(rows, 'float32'), classes, null);
  });
  input.dispose();
  const classes = logits.shape[1]!;
  const pending = logits.read();
  logits.dispose();
  const values = (await pending) as Float32Array;
  return Array.from(decision.labels, (_, q) => values.slice(q * classes, (q + 1) * classes));
}

/** What is multiplied to logits: rows [questions, k] and one row of k per class. */
function classInputs(
  { device, parameters }: Network,
  hidden: NativeTensor,
  decision: Decision & { kind: 'words' | 'classes' },
): [NativeTensor, NativeTensor] {
  if (decision.kind === 'words') {
    const words = embeddedWords(device, parameters.get('word_embeddings.weight'), decision.words);
    return [hidden, words];
  }
  // The classifier of the original (GLMForSequenceClassification): dense, tanh, projection.
  const parameter = (name: string) => parameters.get(name);
  const pooled = device.linear(hidden, parameter('dense.weight'), parameter('dense.bias'));
  const logits = device.linear(pooled, parameter('out_proj.weight'), parameter('out_proj.bias'), {
    activation: 'tanh',
  });
  const classes = logits.shape[1]!;
  const identity = Float32Array.from({ length: classes ** 2 }, (_, i) => (i % (classes + 1) === 0 ? 1 : 0));
  return [logits, device.tensor([classes, classes], 'float32', identity, false)];
}

/** Rows of the word embedding: [words, h] */
export function embeddedWords(
  device: Network['device'],
  table: NativeTensor,
  words: Int32Array,
): NativeTensor {
  const zeros = new Int32Array(words.length);
  const batch = device.batch(
    {
      ids: words,
      positions: zeros,
      blockPositions: zeros,
      offsets: Int32Array.of(0, words.length),
      contextLengths: Int32Array.of(words.length),
      rows: new Int32Array(0),
    },
    { vocabulary: table.shape[0]!, positions: 0, blockPositions: 0 },
  );
  const rows = device.embedding(batch, table, { dtype: 'float32' });
  batch.dispose();
  return rows;
}

/** Labels as the targets of a batch with a row per question. */
function labelBatch(
  { device, parameters }: Network,
  decision: Decision & { kind: 'words' | 'classes' },
): NativeBatch {
  const { labels } = decision;
  const zeros = new Int32Array(labels.length);
  const classes =
    decision.kind === 'words' ? decision.words.length : parameters.get('out_proj.bias').shape[0]!;
  return device.batch(
    {
      ids: zeros,
      positions: zeros,
      blockPositions: zeros,
      offsets: Int32Array.of(0, labels.length),
      contextLengths: Int32Array.of(labels.length),
      rows: zeros.map((_, i) => i),
      targets: labels,
    },
    { vocabulary: classes, positions: 0, blockPositions: 0 },
  );
}

/** Where a question is answered: at its row with a loss, or at its first token. */
function decisionRows(batch: Batch, { kind }: Decision): Int32Array {
  return kind === 'words' ? rowsWithLoss(batch).rows : batch.offsets.slice(0, -1);
}

function exampleOfRows({ offsets }: Batch, rows: Int32Array): Int32Array {
  let example = 0;
  return rows.map((row) => {
    while (row >= offsets[example + 1]!) example++;
    return example;
  });
}

function scoresOfExamples(batch: Batch, rows: Int32Array, losses: Float32Array): Float64Array {
  const scores = new Float64Array(batch.contextLengths.length);
  exampleOfRows(batch, rows).forEach((example, i) => (scores[example]! -= losses[i]!));
  return scores;
}

export function logSoftmax(scores: ArrayLike<number>): number[] {
  const most = Math.max(...Array.from(scores));
  const logSum = most + Math.log(sum(Array.from(scores, (score) => Math.exp(score - most))));
  return Array.from(scores, (score) => score - logSum);
}

/** Throws `GLM_INVALID_ARGUMENT` for a decision that does not fit its batch. */
function checkDecision(batch: Batch, decision: Decision): void {
  const examples = batch.contextLengths.length;
  const { kind, labels } = decision;
  const questions = kind === 'choices' ? decision.offsets.length - 1 : examples;
  if (labels.length !== questions || (kind === 'choices' && decision.offsets.at(-1) !== examples)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected a label for each of ${questions} questions, and choices that are the batch's ${examples} examples, found ` +
        `${labels.length} labels${kind === 'choices' ? ` and ${decision.offsets.at(-1)} choices` : ''}`,
    );
  }
  if (kind !== 'choices') return; // the device checks these labels
  const wrong = labels.findIndex(
    (label, q) => label < 0 || label >= decision.offsets[q + 1]! - decision.offsets[q]!,
  );
  if (wrong >= 0) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected labels[${wrong}] to be one of the question's choices, found ${labels[wrong]}`,
    );
  }
}
