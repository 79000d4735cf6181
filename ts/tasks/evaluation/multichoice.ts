/** Choosing between texts without having learned to (`task multichoice` of the original). */

import type { GLM } from '../../glm.js';
import { accuracy } from '../../metrics/accuracy.js';
import { losses, sum } from '../../model/gradients.js';
import { blankName } from '../../text/special-tokens.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { dataError, type Fields, objectsOf } from '../data-files.js';
import { tokenizerOf } from '../tokenizer-of.js';
import { continuation, type Direction, directionFor } from './continuation.js';
import { type Evaluation, type EvaluationContext, sequenceLengthFor } from './evaluation.js';
import { scoreExamples } from './score-examples.js';

interface Question {
  /** The model's input for `bidirectional`, with a blank; else the text that choices follow. */
  input: Int32Array;
  choices: Int32Array[];
  label: number;
}

export const multichoice: Evaluation = {
  name: 'multichoice',
  description: 'choose between texts: .jsonl with inputs_pretokenized, choices_pretokenized and label',
  options: ['unidirectional', 'sequenceLength', 'lengthPenalty'],
  async run(model, context) {
    const { files, bad, unidirectional, signal, lengthPenalty = 0 } = context;
    const tokenizer = tokenizerOf(model);
    const direction = directionFor(model, unidirectional);
    const sequenceLength = sequenceLengthFor(model, context.sequenceLength);
    const questions: Question[] = [];
    for (const file of files) {
      for await (const line of objectsOf(file, bad.add)) {
        signal?.throwIfAborted();
        try {
          questions.push(await readQuestion(line, tokenizer, direction, sequenceLength));
        } catch (error) {
          bad.add(error);
        }
      }
    }
    if (questions.length === 0) throw bad.nothingLeft(`questions in ${files.join(', ')}`);
    const score = direction === 'bidirectional' ? scoreInBlank : scoreBehind;
    const sums = await score(model, questions, direction, context);
    const chosen = questions.map(({ choices }, q) => {
      const scores = choices.map(({ length }, c) => sums[q]![c]! / length ** lengthPenalty);
      return scores.indexOf(Math.max(...scores));
    });
    return {
      metrics: { accuracy: accuracy(questions.map(({ label }) => label), chosen) }, // prettier-ignore
      examples: questions.length,
      details: { direction, sequenceLength },
    };
  },
};

/** Throws `GLM_DATA`. */
export async function readQuestion(
  line: Fields,
  tokenizer: Tokenizer,
  direction: Direction,
  sequenceLength: number,
): Promise<Question> {
  const choices = line.texts('choices_pretokenized');
  const label = line.label(choices.map((_, i) => String(i)));
  if (label === undefined)
    throw dataError(line.where, 'the place of the right choice in the field label', label);
  const encoded = await tokenizer.encodeBatch(choices);
  const empty = encoded.findIndex(({ length }) => length === 0);
  if (empty >= 0) throw dataError(line.where, 'choices that have tokens', choices[empty]);
  const longest = Math.max(...encoded.map(({ length }) => length));
  const room = sequenceLength - longest - 3;
  if (room < 1) throw dataError(line.where, `choices of at most ${sequenceLength - 4} tokens`, longest);
  const read = direction === 'bidirectional' ? inputWithBlank : textBefore;
  return { input: await read(line, tokenizer, room), choices: encoded, label };
}

/** A text that is too long loses its beginning. */
async function inputWithBlank(line: Fields, tokenizer: Tokenizer, room: number): Promise<Int32Array> {
  const { special } = tokenizer;
  const ids = await tokenizer.encodePrompt(line.text('inputs_pretokenized'));
  const kept = Int32Array.of(special.cls, ...ids.subarray(Math.max(1, ids.length - room)));
  if (!kept.some((id) => blankName(id, special) !== undefined))
    throw dataError(line.where, `a blank within the last ${room} tokens`, `${ids.length} tokens`);
  return kept;
}

/** A blank may stand at the end of the text only; it is left out. */
async function textBefore(line: Fields, tokenizer: Tokenizer, room: number): Promise<Int32Array> {
  const { special } = tokenizer;
  const all = await tokenizer.encode(line.text('inputs_pretokenized'));
  const ids = blankName(all.at(-1) ?? -1, special) === undefined ? all : all.subarray(0, -1);
  if (ids.some((id) => blankName(id, special) !== undefined))
    throw dataError(line.where, 'a text whose blank is at its end, as it is read from left to right', line.get('inputs_pretokenized')); // prettier-ignore
  if (ids.length === 0)
    throw dataError(line.where, 'a text before the choices', line.get('inputs_pretokenized'));
  return ids.subarray(Math.max(0, ids.length - room));
}

/** The choices share the computation of their text. */
async function scoreInBlank(
  model: GLM,
  questions: readonly Question[],
  _: Direction,
  { batchSize, signal, progress }: EvaluationContext,
): Promise<ArrayLike<number>[]> {
  const scores: Float32Array[] = [];
  for (let begin = 0; begin < questions.length; begin += batchSize) {
    const group = questions.slice(begin, begin + batchSize);
    const inputs = group.map(({ input }) => input);
    const choices = group.map(({ choices }) => choices);
    scores.push(...(await model.score(inputs, choices, { special: tokenizerOf(model).special, signal })));
    progress(scores.length, questions.length);
  }
  return scores;
}

/** Every choice behind a copy of its text. */
async function scoreBehind(
  model: GLM,
  questions: readonly Question[],
  direction: Direction,
  { batchSize, signal, progress }: EvaluationContext,
): Promise<ArrayLike<number>[]> {
  const { special } = tokenizerOf(model);
  const examples = questions.flatMap(({ input, choices }) =>
    choices.map((choice) => continuation(input, choice, { special, direction, eos: true })),
  );
  const lengths = questions.flatMap(({ choices }) => choices.map(({ length }) => length));
  const sums: number[] = [];
  const scored = scoreExamples(model.network, examples, losses, { batchSize, signal });
  for await (const { examples: group, scores } of scored) {
    let at = 0;
    for (let i = 0; i < group.length; i++)
      sums.push(-sum(scores.subarray(at, (at += lengths[sums.length]!))));
    progress(sums.length, examples.length);
  }
  let at = 0;
  return questions.map(({ choices }) => sums.slice(at, (at += choices.length)));
}
