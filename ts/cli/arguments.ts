import { InvalidArgumentError } from 'commander';

import { findSources } from '../data/corpus/sources.js';
import { GlmError } from '../errors.js';

/** An option's value as a whole number from `least` on. */
export function integer(least: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < least) {
      throw new InvalidArgumentError(`expected a whole number from ${least} on, found "${value}"`);
    }
    return number;
  };
}

/** An option's value as a number. */
export function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || Number.isNaN(parsed))
    throw new InvalidArgumentError(`expected a number, found "${value}"`);
  return parsed;
}

/** The text files that paths, folders and globs name, for training a tokenizer: it reads plain text only. */
export async function textFiles(paths: readonly string[]): Promise<string[]> {
  const sources = await findSources(paths);
  const other = sources.find(({ format, gzip }) => format !== 'text' || gzip);
  if (other !== undefined) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected .txt files to train a tokenizer on, found ${other.file}; train one on plain text first (glm tokenize --train), then give it with --tokenizer`,
    );
  }
  return sources.map(({ file }) => file);
}
