/** Writing the question that has a given answer in a paragraph (Zhou et al. 2017, on SQuAD). */

import { readFile } from 'node:fs/promises';

import { ioError } from '../../files.js';
import { bleu } from '../../metrics/bleu.js';
import { meanRouge, rouge } from '../../metrics/rouge.js';
import { dataError, Fields, objectsOf } from '../data-files.js';
import type { TaskRecord } from '../task.js';
import { seq2SeqTask } from './seq2seq-task.js';

interface AnswerToQuestion extends TaskRecord {
  paragraph: string;
  answer: string;
  question: string;
}

export const squadQuestions = seq2SeqTask<AnswerToQuestion>({
  name: 'squad-questions',
  description: 'SQuAD question generation: the .json of SQuAD, or .jsonl with context, question and answers',
  settings: { epochs: 10, learningRate: 2e-5, batchSize: 8 },
  writing: { beams: 5, lengthPenalty: 0.7, minTargetLength: 0, noRepeatNgram: 0 },
  lengths: { source: 464, target: 48 },
  bestBy: 'bleu4',
  read: (file, bad) => (file.endsWith('.json') ? readSquad(file, bad) : readLines(file, bad)),
  /** [CLS] paragraph ` Question:` blank ` Answer: ` answer; a long paragraph is cut around the answer. */
  async context({ paragraph, answer }, maxLength, { tokenizer, special, blank }) {
    const asked = await tokenizer.encode(` Answer: ${answer}`);
    const room = maxLength - asked.length - 2;
    let text = await tokenizer.encode(`${paragraph.trimEnd()} Question:`);
    if (text.length > room) {
      const place = Math.max(0, indexOf(text, await tokenizer.encode(` ${answer}`)));
      const begin = Math.max(0, place - Math.floor(room / 2));
      text = text.slice(begin, begin + Math.max(0, room));
    }
    return [special.cls, ...text, blank, ...asked].slice(0, maxLength);
  },
  target: ({ question }) => question,
  score(records, predictions, { tokenizer, postProcess }) {
    return (async () => {
      const references = await Promise.all(
        records.map(async ({ question }) =>
          postProcess ? tokenizer.decode(await tokenizer.encode(question)) : question,
        ),
      );
      const pairs = predictions.map((candidate, i) => ({
        reference: [references[i]!],
        candidate: [candidate],
      }));
      const one = references.map((reference) => [reference]);
      return {
        bleu4: bleu(predictions, one, { lowercase: true, smoothing: 'none' }).score,
        rougeL: meanRouge(pairs.map((pair) => rouge(pair))).rougeL.f,
      };
    })();
  },
});

/** `answer`, or as the Hub has it, `answers` with a list `text`. */
async function* readLines(file: string, bad: (error: unknown) => void) {
  for await (const line of objectsOf(file, bad)) {
    try {
      const { where } = line;
      const paragraph = line.text('context');
      const question = line.text('question');
      const answers = line.has('answer') ? [line.text('answer')] : line.object('answers').texts('text');
      for (const answer of new Set(answers)) yield { where, paragraph, answer, question };
    } catch (error) {
      bad(error);
    }
  }
}

/** A question for each of its different answers. */
async function* readSquad(file: string, bad: (error: unknown) => void) {
  const tried = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      bad(error);
      return undefined;
    }
  };
  for (const [a, article] of (await articlesOf(file)).entries()) {
    const paragraphs = tried(() => article.at(`article ${a + 1}`).objects('paragraphs')) ?? [];
    for (const [p, fields] of paragraphs.entries()) {
      const paragraph = fields.at(`paragraph ${p + 1}`);
      const text = tried(() => paragraph.text('context'));
      const asked = text === undefined ? [] : (tried(() => paragraph.objects('qas')) ?? []);
      for (const [i, fields] of asked.entries()) {
        const read = tried(() => readQuestion(fields.at(nameOf(fields, i))));
        for (const answer of read?.answers ?? [])
          yield { where: read!.where, paragraph: text!, answer, question: read!.question };
      }
    }
  }
}

const nameOf = (asked: Fields, i: number) => (asked.has('id') ? asked.text('id') : `question ${i + 1}`);

function readQuestion(asked: Fields) {
  return {
    where: asked.where,
    question: asked.text('question'),
    answers: new Set(asked.objects('answers').map((answer) => answer.text('text'))),
  };
}

async function articlesOf(file: string): Promise<Fields[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw ioError(`cannot read ${file}`, error);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw dataError(file, 'SQuAD in JSON', text);
  }
  const articles = Array.isArray(value) ? { data: value as unknown[] } : value;
  return new Fields(file, articles).objects('data');
}

function indexOf(ids: Int32Array, wanted: Int32Array): number {
  if (wanted.length === 0) return -1;
  for (let begin = 0; begin + wanted.length <= ids.length; begin++)
    if (wanted.every((id, i) => ids[begin + i] === id)) return begin;
  return -1;
}
