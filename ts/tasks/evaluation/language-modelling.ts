/** Perplexity on long texts (paper, section 3.3; `tasks/language_model` of the original). */

import { readFile } from 'node:fs/promises';

import { GlmError } from '../../errors.js';
import { ioError } from '../../files.js';
import type { GLM } from '../../glm.js';
import { adjustedPerplexity, perplexity } from '../../metrics/perplexity.js';
import { losses, sum } from '../../model/gradients.js';
import type { BadRecords } from '../bad-records.js';
import { dataError, linesOf, objectsOf } from '../data-files.js';
import { tokenizerOf } from '../tokenizer-of.js';
import { directionFor } from './continuation.js';
import { type Evaluated, type Evaluation, type EvaluationContext, sequenceLengthFor } from './evaluation.js';
import { checkFinite, scoreExamples } from './score-examples.js';
import { detokenizeWikitext } from './wikitext-detokenizer.js';
import { windowCount, type WindowOptions, windows } from './windows.js';

/** WikiText-103: the file is one text, and its words are those before it is detokenized. */
export const wikitext: Evaluation = {
  name: 'wikitext',
  description: 'WikiText-103: perplexity on wiki.test.tokens, of a word as the file has them',
  options: ['unidirectional', 'sequenceLength', 'overlap'],
  run: (model, context) => evaluatePerplexity(model, wholeFiles(context), context, 256),
};

/** Any texts, one a line, or the field `text` of .jsonl files. */
export const languageModel: Evaluation = {
  name: 'ppl',
  description: 'perplexity on texts: one a line, or the field text of .jsonl files',
  options: ['unidirectional', 'sequenceLength', 'overlap'],
  run: (model, context) => evaluatePerplexity(model, textsOf(context), context),
};

/** A text as the model sees it, and how many words it had before. */
interface Text {
  text: string;
  words: number;
}

const wordCount = (text: string) => text.trim().split(' ').length;

async function* wholeFiles({ files, bad }: EvaluationContext): AsyncGenerator<Text, void, void> {
  for (const file of files) {
    const text = await (file.endsWith('.parquet') ? rowsOf(file, bad) : textOf(file));
    yield { text: detokenizeWikitext(text), words: wordCount(text) };
  }
}

function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw ioError(`cannot read ${file}`, error);
  });
}

/** The file as the Hub has it: a row for each line, where an empty line has lost its space. */
async function rowsOf(file: string, bad: BadRecords): Promise<string> {
  const lines: string[] = [];
  for await (const row of objectsOf(file, bad.add)) {
    const line = row.get('text');
    if (typeof line === 'string') lines.push(line === '' ? ' \n' : line);
    else bad.add(dataError(row.where, 'a text in the column text', line));
  }
  return lines.join('');
}

async function* textsOf({ files, bad }: EvaluationContext): AsyncGenerator<Text, void, void> {
  for (const file of files) {
    if (/\.(jsonl|parquet)$/.test(file)) {
      for await (const line of objectsOf(file, bad.add)) {
        try {
          const text = line.text('text').trim();
          yield { text, words: wordCount(text) };
        } catch (error) {
          bad.add(error);
        }
      }
    } else {
      for await (const { text } of linesOf(file))
        if (text.trim() !== '') yield { text: text.trim(), words: wordCount(text) };
    }
  }
}

/** `usualOverlap` holds where none is given, in models that are long enough. */
async function evaluatePerplexity(
  model: GLM,
  texts: AsyncIterable<Text>,
  context: EvaluationContext,
  usualOverlap?: number,
): Promise<Evaluated> {
  const { files, bad, batchSize, signal, progress } = context;
  const tokenizer = tokenizerOf(model);
  const direction = directionFor(model, context.unidirectional);
  const sequenceLength = sequenceLengthFor(model, context.sequenceLength);
  const overlap = context.overlap ?? (usualOverlap && Math.min(usualOverlap, sequenceLength >> 1));
  checkWindow(sequenceLength, overlap);
  const cut: WindowOptions = { special: tokenizer.special, direction, sequenceLength, overlap };

  // A text's first token and word are not predicted.
  const documents: Int32Array[] = [];
  let [tokens, words] = [0, 0];
  for await (const text of texts) {
    signal?.throwIfAborted();
    const ids = await tokenizer.encode(text.text);
    documents.push(ids);
    tokens += Math.max(0, ids.length - 1);
    words += text.words - 1;
  }
  const total = documents.reduce((sum, { length }) => sum + windowCount(length, cut), 0);
  const all = function* () {
    for (const document of documents) yield* windows(document, cut);
  };
  const scored = { loss: 0, tokens: 0 };
  let done = 0;
  for await (const { examples, scores } of scoreExamples(model.network, all(), losses, {
    batchSize,
    signal,
  })) {
    scored.loss += sum(scores);
    scored.tokens += scores.length;
    checkFinite(scored.loss);
    progress((done += examples.length), total);
  }
  if (scored.tokens === 0) throw bad.nothingLeft(`texts of two tokens at least in ${files.join(', ')}`);
  return {
    metrics: {
      loss: scored.loss / scored.tokens,
      perplexity: perplexity(scored),
      adjustedPerplexity: adjustedPerplexity(scored, tokens, words),
    },
    examples: documents.length,
    details: { direction, sequenceLength, overlap: overlap ?? sequenceLength - 1, tokens, words },
  };
}

/** Throws `GLM_INVALID_ARGUMENT`. */
function checkWindow(sequenceLength: number, overlap: number | undefined): void {
  const fits = (value: number, least: number, most: number) =>
    Number.isSafeInteger(value) && value >= least && value <= most;
  if (!fits(sequenceLength, 3, Infinity))
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected a sequenceLength from 3 on, found ${sequenceLength}`,
    );
  if (overlap !== undefined && !fits(overlap, 1, sequenceLength - 1)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected an overlap from 1 to ${sequenceLength - 1}, the tokens of a window, found ${overlap}`,
    );
  }
}
