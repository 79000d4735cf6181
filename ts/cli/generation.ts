/** What `fill`, `generate` and `choose` have in common: the model, where texts come from, where results go. */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import { Command, Option } from 'commander';

import type { DeviceOptions } from '../devices.js';
import { GlmError } from '../errors.js';
import { GLM } from '../glm.js';
import { integer } from './arguments.js';
import { LiveLine, print, status } from './output.js';

export interface ModelOptions {
  device?: DeviceOptions['device'] & string;
  dtype?: 'float32' | 'bfloat16';
  threads?: number;
}

export interface TextOptions extends ModelOptions {
  file?: string;
  json?: boolean;
}

export function addModelOptions(command: Command): Command {
  return command
    .option('--device <name>', 'auto, cpu, cuda or cuda:1')
    .addOption(new Option('--dtype <type>', 'what to compute with').choices(['float32', 'bfloat16']))
    .option('--threads <n>', 'threads on the CPU', integer(1));
}

/** A command on a model and texts; `text` says what is in them. */
export function textCommand(name: string, description: string, text: string): Command {
  const command = new Command(name)
    .description(description)
    .argument('<model>', 'a model folder')
    .argument('[text...]', `${text}; left out: one text a line from --file or standard input`);
  return addModelOptions(command)
    .option('--file <name>', 'one text a line')
    .option('--json', 'one JSON document on stdout');
}

/** Loads a model that has a tokenizer, showing how far it is. */
export async function loadModel(folder: string, options: ModelOptions, signal: AbortSignal): Promise<GLM> {
  const line = new LiveLine();
  const { device, dtype, threads } = options;
  const model = await GLM.load(folder, {
    ...(device && { device }),
    ...(dtype === undefined ? {} : { dtype }),
    ...(threads === undefined ? {} : { threads }),
    signal,
    onProgress: ({ loaded, total }) => line.show(`loading ${folder}: ${loaded} of ${total} weights`),
  });
  line.clear();
  if (model.tokenizer !== undefined) return model;
  model.dispose();
  throw new GlmError(
    'GLM_TOKENIZER',
    `${folder}: expected a tokenizer beside the model, found none; copy its files there`,
  );
}

/** What became of a text. */
export interface Result {
  document: object;
  lines: readonly string[];
}

/** Texts whose results are computed in one call. */
const together = 32;

/** Prints the results of all texts: lines as they come, or one JSON document, which is a list unless the text was given. */
export async function printResults(
  words: readonly string[],
  { file, json }: TextOptions,
  compute: (texts: string[]) => Promise<Result[]>,
): Promise<void> {
  const documents: object[] = [];
  for await (const group of groupsOf(texts(words, file), together)) {
    for (const { document, lines } of await compute(group)) {
      if (json) documents.push(document);
      else print(false, undefined, () => lines);
    }
  }
  if (json) print(true, words.length > 0 ? documents[0] : documents, () => []);
}

/** The text of the command line, else one text a line of a file, else of standard input. */
export async function* texts(words: readonly string[], file: string | undefined): AsyncIterable<string> {
  if (words.length > 0) {
    yield words.join(' ');
    return;
  }
  const input = file === undefined ? process.stdin : createReadStream(file);
  const failed = new Promise<never>((_, reject) => {
    input.once('error', (cause: Error) =>
      reject(new GlmError('GLM_IO', `cannot read ${file ?? 'standard input'}: ${cause.message}`, { cause })),
    );
  });
  failed.catch(() => {});
  const lines: AsyncIterator<string> = createInterface({ input, crlfDelay: Infinity })[
    Symbol.asyncIterator
  ]();
  for (;;) {
    const next = await Promise.race([lines.next(), failed]);
    if (next.done === true) break;
    if (next.value.trim() !== '') yield next.value;
  }
}

/** The elements in groups of at most `size`. */
async function* groupsOf<T>(elements: AsyncIterable<T>, size: number): AsyncIterable<T[]> {
  let group: T[] = [];
  for await (const element of elements) {
    group.push(element);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Runs `body` with a signal that Ctrl-C aborts; the exit status is then 130. */
export async function interruptible(body: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const interrupt = () => controller.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  try {
    await body(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    process.exitCode = status.interrupted;
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}
