/** `fill` and `generate`: texts are filled with the options of decoding, at once or token by token. */

import { type Command, InvalidArgumentError } from 'commander';

import { GlmError } from '../errors.js';
import type { FillResult } from '../generate/fill.js';
import type { FillOptions } from '../generate/options.js';
import type { GLM } from '../glm.js';
import { integer, number } from './arguments.js';
import {
  interruptible,
  loadModel,
  printResults,
  textCommand,
  type TextOptions,
  texts,
} from './generation.js';

interface Options extends TextOptions {
  stream?: boolean;
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

/** How a command shows texts that are being filled. */
export interface Show {
  /** Writes the tokens of a text as they come. */
  stream(model: GLM, text: string, decoding: FillOptions): Promise<void>;
  /** Fills what is typed on a terminal; left out: texts are read there as from a file. */
  converse?(model: GLM, decoding: FillOptions): Promise<void>;
}

/** A command that fills texts. */
export function fillingCommand(name: string, description: string, text: string, show: Show): Command {
  return addDecodingOptions(textCommand(name, description, text))
    .option('--stream', 'show the tokens as they come')
    .action(async (folder: string, words: string[], options: Options) => {
      const { file, stream, json } = options;
      if (stream && json)
        throw new GlmError('GLM_INVALID_ARGUMENT', 'expected --stream or --json, found both; leave one out');
      const isTyped = words.length === 0 && file === undefined && process.stdin.isTTY && !json;
      await interruptible(async (signal) => {
        using model = await loadModel(folder, options, signal);
        const decoding = fillOptions(options, signal);
        if (isTyped && show.converse !== undefined) await show.converse(model, decoding);
        else if (stream)
          for await (const text of texts(words, file)) await show.stream(model, text, decoding);
        else {
          await printResults(words, options, async (group) =>
            (await model.fill(group, decoding)).map((result) => ({
              document: plain(result),
              lines: [result.text],
            })),
          );
        }
      });
    });
}

function addDecodingOptions(command: Command): Command {
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

/** The options of `model.fill` among those of the command. */
function fillOptions(options: Options, signal: AbortSignal): FillOptions {
  const { maxTokens, minTokens, temperature, topK, topP, beams, lengthPenalty, noRepeatNgram } = options;
  const { seed, stop, suppress } = options;
  const search = { beams, lengthPenalty, noRepeatNgram, stop, suppress };
  return { maxTokens, minTokens, temperature, topK, topP, seed, ...search, signal };
}

/** A result as JSON has it. */
function plain({ text, ids, blanks, hypotheses }: FillResult): object {
  return {
    text,
    ids: Array.from(ids),
    blanks: blanks.map((blank) => ({ ...blank, ids: Array.from(blank.ids) })),
    ...(hypotheses && { hypotheses: hypotheses.map((one) => ({ ...one, ids: Array.from(one.ids) })) }),
  };
}
