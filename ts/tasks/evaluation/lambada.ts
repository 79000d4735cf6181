/** LAMBADA (Paperno et al. 2016): the last word of a passage, every token of which has to be the likeliest. */

import type { Batch } from '../../data/batch.js';
import { accuracy } from '../../metrics/accuracy.js';
import { perplexity } from '../../metrics/perplexity.js';
import { sum } from '../../model/gradients.js';
import { predictTokens } from '../../model/predictions.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { dataError, objectsOf } from '../data-files.js';
import { tokenizerOf } from '../tokenizer-of.js';
import { continuation, type Direction, directionFor } from './continuation.js';
import { type Evaluation, sequenceLengthFor } from './evaluation.js';
import { checkFinite, scoreExamples } from './score-examples.js';

export const lambada: Evaluation = {
  name: 'lambada',
  description: 'LAMBADA: the last word of a passage, the field text of .jsonl files',
  options: ['unidirectional', 'sequenceLength'],
  async run(model, { files, bad, batchSize, unidirectional, signal, progress, ...options }) {
    const tokenizer = tokenizerOf(model);
    const direction = directionFor(model, unidirectional);
    const sequenceLength = sequenceLengthFor(model, options.sequenceLength);
    const examples: Batch[] = [];
    for (const file of files) {
      for await (const line of objectsOf(file, bad.add)) {
        signal?.throwIfAborted();
        try {
          examples.push(
            await lastWordExample(line.text('text'), {
              tokenizer,
              direction,
              sequenceLength,
              where: line.where,
            }),
          );
        } catch (error) {
          bad.add(error);
        }
      }
    }
    if (examples.length === 0) throw bad.nothingLeft(`passages in ${files.join(', ')}`);

    const right: boolean[] = [];
    const scored = { loss: 0, tokens: 0 };
    const scores = scoreExamples(model.network, examples, predictTokens, { batchSize, signal });
    for await (const { examples: group, scores: predicted } of scores) {
      scored.loss += sum(predicted.losses);
      scored.tokens += predicted.losses.length;
      checkFinite(scored.loss);
      let at = 0;
      for (const { targets, lossMask } of group) {
        const answer = targets!.filter((_, i) => lossMask![i] === 1);
        const likeliest = predicted.likeliest.subarray(at, (at += answer.length));
        right.push(answer.every((id, i) => likeliest[i] === id));
      }
      progress(right.length, examples.length);
    }
    return {
      metrics: {
        accuracy: accuracy(
          right.map(() => true),
          right,
        ),
        perplexity: perplexity(scored),
      },
      examples: examples.length,
      details: { direction, sequenceLength, tokens: scored.tokens },
    };
  },
};

interface LastWordOptions {
  tokenizer: Tokenizer;
  direction: Direction;
  sequenceLength: number;
  /** For messages. */
  where: string;
}

/**
 * The last word of a passage as an answer behind the rest of it, of which as much is kept as there is room for (`LambadaDataset`
 * of the original, strict). Throws `GLM_DATA`.
 */
export async function lastWordExample(
  passage: string,
  { tokenizer, direction, sequenceLength, where }: LastWordOptions,
): Promise<Batch> {
  const [, rest, word] = /^(.*\S)\s+(\S+)\s*$/s.exec(passage) ?? [];
  if (rest === undefined) throw dataError(where, 'a passage of at least two words', passage);
  const answer = await tokenizer.encode(` ${word}`);
  const text = await tokenizer.encode(rest.trim());
  // [CLS], the blank and end-of-text.
  const room = sequenceLength - 3 - answer.length;
  if (room < 1) throw dataError(where, `a last word of at most ${sequenceLength - 4} tokens`, word);
  const { special } = tokenizer;
  return continuation(text.subarray(Math.max(0, text.length - room)), answer, {
    special,
    direction,
    eos: true,
  });
}
