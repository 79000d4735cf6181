/** The published models' tokenizers, as folders in the way the Hub has them, made of the vocabularies in ../shared/vocab. */

import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { LayoutName } from '../../ts/text/layouts.js';
import { sharedFile } from './shared-files.js';

const vocabulary: Record<LayoutName, Record<string, string>> = {
  'bert-base-uncased': { 'bert-base-uncased-vocab.txt': 'vocab.txt' },
  'bert-large-uncased': { 'bert-base-uncased-vocab.txt': 'vocab.txt' },
  gpt2: { 'gpt2-vocab.json': 'vocab.json', 'gpt2-merges.txt': 'merges.txt' },
  roberta: { 'roberta-vocab.json': 'vocab.json', 'gpt2-merges.txt': 'merges.txt' },
  chinese: { 'cog-pretrain.model': 'cog-pretrain.model' },
  'chinese-10b': { 'cog-pretrain.model': 'cog-pretrain.model' },
};

/** What a Hub folder's added_tokens.json says, counted from the end of the vocabulary's own ids. */
export const addedTokens: Record<LayoutName, Record<string, number>> = {
  'bert-base-uncased': {
    '<|startofpiece|>': 30522,
    '<|endofpiece|>': 30523,
    '[gMASK]': 30524,
    '[sMASK]': 30525,
    '[dBLOCK]': 30526,
  },
  'bert-large-uncased': { '<|startofpiece|>': 30522, '<|endofpiece|>': 30523 },
  gpt2: {
    '<|startofpiece|>': 50257,
    '<|endofpiece|>': 50258,
    '[CLS]': 50259,
    '[MASK]': 50260,
    '[SEP]': 50261,
    '[UNK]': 50262,
    '[gMASK]': 50263,
    '[sMASK]': 50264,
    '[dBLOCK]': 50265,
  },
  roberta: { '<|startofpiece|>': 50265, '<|endofpiece|>': 50266 },
  chinese: {
    '<|endoftext|>': 50000,
    '[SEP]': 50001,
    '[CLS]': 50002,
    '[MASK]': 50003,
    '[UNK]': 50004,
    '<|startofpiece|>': 50006,
    '<|endofpiece|>': 50007,
    '[sMASK]': 50008,
    '[gMASK]': 50009,
  },
  'chinese-10b': {
    '<|endoftext|>': 50000,
    '[SEP]': 50001,
    '[CLS]': 50002,
    '[MASK]': 50003,
    '[UNK]': 50004,
    '<|startofpiece|>': 50006,
    '<|endofpiece|>': 50007,
    '[gMASK]': 50007,
    '[sMASK]': 50008,
  },
};

export const vocabularyFiles = (layout: LayoutName): string[] =>
  Object.keys(vocabulary[layout]).map((name) => `vocab/${name}`);

/** Copies the vocabulary of a published model to a folder, under the Hub's names. */
export async function copyVocabulary(layout: LayoutName, dir: string): Promise<void> {
  for (const [from, to] of Object.entries(vocabulary[layout])) {
    await cp(sharedFile('vocab', from), path.join(dir, to));
  }
}

export async function writeJson(dir: string, name: string, value: unknown): Promise<void> {
  await writeFile(path.join(dir, name), JSON.stringify(value));
}
