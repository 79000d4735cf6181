import { createInterface } from 'node:readline/promises';

import { Command } from 'commander';

import { GlmError } from '../errors.js';
import type { FillResult } from '../generate/fill.js';
import type { FillOptions } from '../generate/options.js';
import type { GLM } from '../glm.js';
import {
  addDecodingOptions,
  addModelOptions,
  type DecodingOptions,
  fillOptions,
  groupsOf,
  interruptible,
  loadModel,
  type ModelOptions,
  texts,
} from './generation.js';
import { print, report } from './output.js';

interface Options extends ModelOptions, DecodingOptions {
  file?: string;
  stream?: boolean;
  json?: boolean;
}

/** Texts that are filled in one call. */
const together = 32;

/** `glm fill`: texts with their blanks filled; without a text, on a terminal, as they are typed. */
export function fill(): Command {
  const command = new Command('fill')
    .description('Fill the blanks of texts: [MASK], [sMASK], [gMASK]. Without a text, type some.')
    .argument('<model>', 'a model folder')
    .argument('[text...]', 'a text with blanks; left out: one text a line from --file or standard input');
  return addDecodingOptions(addModelOptions(command))
    .option('--file <name>', 'one text a line')
    .option('--stream', 'show the tokens as they come')
    .option('--json', 'one JSON document on stdout')
    .action(async (folder: string, words: string[], options: Options) => {
      checkOutput(options);
      await interruptible(async (signal) => {
        using model = await loadModel(folder, options, signal);
        const decoding = fillOptions(options, signal);
        if (words.length === 0 && options.file === undefined && process.stdin.isTTY) {
          await converse(model, decoding);
        } else if (options.stream) {
          for await (const text of texts(words, options.file)) await show(model, text, decoding);
        } else {
          await fillAll(model, words, decoding, options);
        }
      });
    });
}

export function checkOutput({ stream, json }: { stream?: boolean; json?: boolean }): void {
  if (stream && json)
    throw new GlmError('GLM_INVALID_ARGUMENT', 'expected --stream or --json, found both; leave one out');
}

async function fillAll(
  model: GLM,
  words: string[],
  decoding: FillOptions,
  { file, json }: Options,
): Promise<void> {
  const documents: unknown[] = [];
  for await (const group of groupsOf(texts(words, file), together)) {
    for (const result of await model.fill(group, decoding)) {
      if (json) documents.push(plain(result));
      else print(false, undefined, () => [result.text]);
    }
  }
  if (json) print(true, words.length > 0 ? documents[0] : documents, () => []);
}

/** A result as JSON has it. */
export function plain({ text, ids, blanks, hypotheses }: FillResult): object {
  return {
    text,
    ids: Array.from(ids),
    blanks: blanks.map((blank) => ({ ...blank, ids: Array.from(blank.ids) })),
    ...(hypotheses && { hypotheses: hypotheses.map((one) => ({ ...one, ids: Array.from(one.ids) })) }),
  };
}

/** Writes each blank as it is filled, one a line. */
async function show(model: GLM, text: string, decoding: FillOptions): Promise<void> {
  let blank = -1;
  for await (const chunk of model.stream(text, decoding)) {
    if (chunk.blank !== blank) process.stdout.write(`${blank < 0 ? '' : '\n'}${chunk.blank + 1}: `);
    blank = chunk.blank;
    process.stdout.write(chunk.text);
  }
  process.stdout.write('\n');
}

/** Fills what is typed, line by line, until the end of the input. */
async function converse(model: GLM, decoding: FillOptions): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' });
  process.stdout.write('Type a text with blanks, such as: The capital of France is [MASK]. Ctrl-D ends.\n');
  decoding.signal?.addEventListener('abort', () => terminal.close(), { once: true });
  terminal.prompt();
  for await (const line of terminal) {
    if (line.trim() !== '') {
      await show(model, line, decoding).catch((error: unknown) => {
        if (decoding.signal?.aborted) throw error;
        report(error, false);
      });
    }
    terminal.prompt();
  }
  process.stdout.write('\n');
}
