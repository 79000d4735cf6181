import { createInterface } from 'node:readline/promises';

import type { Command } from 'commander';

import type { FillOptions } from '../generate/options.js';
import type { GLM } from '../glm.js';
import { fillingCommand } from './decoding.js';
import { report, status } from './output.js';

/** `glm fill`: texts with their blanks filled; without a text, on a terminal, as they are typed. */
export function fill(): Command {
  return fillingCommand(
    'fill',
    'Fill the blanks of texts: [MASK], [sMASK], [gMASK]. Without a text, type some.',
    'a text with blanks',
    { stream, converse },
  );
}

/** Writes each blank as it is filled, one a line. */
async function stream(model: GLM, text: string, decoding: FillOptions): Promise<void> {
  let blank = -1;
  for await (const chunk of model.stream(text, decoding)) {
    if (chunk.blank !== blank) process.stdout.write(`${blank < 0 ? '' : '\n'}${chunk.blank + 1}: `);
    blank = chunk.blank;
    process.stdout.write(chunk.text);
  }
  process.stdout.write('\n');
}

/** Fills what is typed, line by line. Ctrl-C stops a fill; Ctrl-D, or Ctrl-C where nothing is being filled, ends. */
async function converse(model: GLM, decoding: FillOptions): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' });
  let filling: AbortController | undefined;
  const end = () => {
    process.exitCode = status.interrupted;
    terminal.close();
  };
  terminal.on('SIGINT', () => (filling === undefined ? end() : filling.abort()));
  decoding.signal?.addEventListener('abort', end, { once: true });
  process.stdout.write('Type a text with blanks, such as: The capital of France is [MASK]. Ctrl-D ends.\n');
  terminal.prompt();
  for await (const line of terminal) {
    filling = new AbortController();
    const signal = AbortSignal.any([filling.signal, ...(decoding.signal ? [decoding.signal] : [])]);
    if (line.trim() !== '') {
      await stream(model, line, { ...decoding, signal, onAbort: 'return' }).catch((error: unknown) =>
        report(error, false),
      );
    }
    filling = undefined;
    if (decoding.signal?.aborted) break;
    terminal.prompt();
  }
  process.stdout.write('\n');
}
