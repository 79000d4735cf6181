/** What `fill`, `generate` and `choose` have in common: the model, the options of decoding, where texts come from. */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import { type Command, InvalidArgumentError, Option } from 'commander';

import type { DeviceOptions } from '../devices.js';
import { GlmError } from '../errors.js';
import type { FillOptions } from '../generate/options.js';
import { GLM } from '../glm.js';
import { integer, number } from './arguments.js';
import { LiveLine, status } from './output.js';

export interface ModelOptions {
  device?: DeviceOptions['device'] & string;
  dtype?: 'float32' | 'bfloat16';
  threads?: number;
}

export interface DecodingOptions {
  maxTokens?: number;
  minTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  beams?: number;
  lengthPenalty?: number;
  noRepeatNgram?: number;
  seed?: number;
  stop?: string[];
  suppress?: number[];
}

export function addModelOptions(command: Command): Command {
  return command
    .option('--device <name>', 'auto, cpu, cuda or cuda:1')
    .addOption(new Option('--dtype <type>', 'what to compute with').choices(['float32', 'bfloat16']))
    .option('--threads <n>', 'threads on the CPU', integer(1));
}

export function addDecodingOptions(command: Command): Command {
  return command
    .option('--max-tokens <n>', 'tokens of one blank', integer(1))
    .option('--min-tokens <n>', 'tokens before a blank may end', integer(0))
    .option('--temperature <t>', '0, the default, takes the likeliest token', number)
    .option('--top-k <k>', 'sample among the k likeliest tokens', integer(1))
    .option('--top-p <p>', 'sample among the likeliest tokens with this probability', number)
    .option('--beams <n>', 'hypotheses of beam search', integer(1))
    .option('--length-penalty <p>', 'beam scores are divided by length to this power', number)
    .option('--no-repeat-ngram <n>', 'no n-gram of this length twice', integer(1))
    .option('--seed <n>', 'of sampling', integer(0))
    .option('--stop <texts...>', 'texts that end a blank')
    .option('--suppress <ids...>', 'tokens that are never chosen', tokenIds);
}

function tokenIds(value: string, before: number[] | undefined): number[] {
  const id = Number(value);
  if (!Number.isSafeInteger(id)) throw new InvalidArgumentError(`expected a token id, found "${value}"`);
  return [...(before ?? []), id];
}

/** The options of `model.fill`. */
export function fillOptions(options: DecodingOptions, signal: AbortSignal): FillOptions {
  const { maxTokens, minTokens, temperature, topK, topP, beams, lengthPenalty, noRepeatNgram } = options;
  const { seed, stop, suppress } = options;
  return {
    maxTokens,
    minTokens,
    temperature,
    topK,
    topP,
    beams,
    lengthPenalty,
    noRepeatNgram,
    seed,
    stop,
    suppress,
    signal,
  };
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
export async function* groupsOf<T>(elements: AsyncIterable<T>, size: number): AsyncIterable<T[]> {
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
