/** A small tokenizer and made-up text for the tests of the corpus. */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { byteCharacters } from '../../ts/text/byte-level-bpe.js';
import { findSources } from '../../ts/text/documents/sources.js';
import { identify, type Manifest, TokenFolder } from '../../ts/data/corpus/token-folder.js';
import { tokenize, type TokenizeOptions } from '../../ts/data/corpus/tokenize.js';
import { Tokenizer } from '../../ts/text/tokenizer.js';
import type { TestRandom } from '../support/random.js';

const merges = ['t h', 'th e', 'Ġ the', 'i n', 'Ġ a', 'e r', 'Ġ s', 'Ã ¤', 'Ġ Ċ', 'Ġ Ġ'];

/** Byte-level BPE with a few merges, also across spaces, line breaks and inside of a character. */
export async function makeTokenizer(dir: string): Promise<Tokenizer> {
  const pieces = [...byteCharacters, ...merges.map((merge) => merge.replace(' ', '')), '<|endoftext|>'];
  await mkdir(dir, { recursive: true });
  await writeFile(
    path.join(dir, 'vocab.json'),
    JSON.stringify(Object.fromEntries(pieces.map((piece, id) => [piece, id]))),
  );
  await writeFile(path.join(dir, 'merges.txt'), `#version: 0.2\n${merges.join('\n')}\n`);
  return Tokenizer.load(dir);
}

const words = [
  'the',
  'other',
  'sin',
  'naïve',
  'ärger',
  'summer',
  'a',
  'wer',
  '日本語',
  'x',
  '[MASK]',
  '😀',
  'in',
  'then',
];
const gaps = [' ', ' ', ' ', ' ', ' ', ' ', '\n', '\n', '  ', '\t', ' \n ', '. ', '.\n', '! '];

/** A text of about `length` characters without a blank line. Begins and ends with a visible character. */
export function makeText(length: number, random: TestRandom): string {
  let text = 'the';
  while (text.length < length) {
    text +=
      gaps[Math.floor(random.uniform() * gaps.length)]! + words[Math.floor(random.uniform() * words.length)]!;
  }
  return text;
}

/** Texts of very different lengths. */
export function makeTexts(count: number, averageLength: number, random: TestRandom): string[] {
  return Array.from({ length: count }, () =>
    makeText(averageLength * 2 * random.uniform() ** 2 * 1.5, random),
  );
}

/** Tokenizes files with parts of another size than usual, so that small files have many. */
export async function tokenizeInto(
  dir: string,
  files: readonly string[],
  options: { tokenizer: Tokenizer } & Partial<TokenizeOptions>,
): Promise<Manifest> {
  const sources = await findSources(files);
  const rules = { documents: 'blank-line', field: 'text' } as const;
  const identity = identify(sources, options.tokenizer, rules, files[0]!);
  return tokenize({
    sources,
    identity,
    folder: new TokenFolder(dir),
    workers: undefined,
    onProgress: undefined,
    signal: undefined,
    ...options,
  });
}
