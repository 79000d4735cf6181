import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { GlmError } from '../errors.js';
import { ioError, writeFileAtomically } from '../files.js';
import type { SubwordDefinition, TokenizerDefinition } from './definition.js';
import { addedTokensDecoder, readAddedTokensJson } from './formats/added-tokens.js';
import { readJsonObject } from './formats/text-file.js';
import { readTokenizerJson } from './formats/tokenizer-json.js';
import { formatMergesTxt, formatVocabJson, readMergesTxt, readVocabJson } from './formats/vocab-json.js';
import { formatVocabTxt, readVocabTxt } from './formats/vocab-txt.js';
import type { AddedToken } from './layouts.js';

/** What a tokenizer's files say: the vocabulary, and the tokens they add to it. */
export interface TokenizerFiles {
  readonly subwords: SubwordDefinition;
  readonly added: ReadonlyMap<string, AddedToken>;
}

/**
 * Reads a tokenizer's folder as the Hub has it: the vocabulary and, where there are any, added_tokens.json
 * and tokenizer_config.json.
 * @throws GlmError GLM_IO, GLM_TOKENIZER
 */
export async function readTokenizerFolder(dir: string): Promise<TokenizerFiles> {
  const files = await listFolder(dir);
  const configFile = path.join(dir, 'tokenizer_config.json');
  const config = files.has('tokenizer_config.json') ? await readJsonObject(configFile) : {};
  const { subwords, added: known } = await readVocabulary(dir, files, config);
  const decoder = addedTokensDecoder(config['added_tokens_decoder'], `${configFile}: added_tokens_decoder`);
  const added = new Map([...known, ...decoder]);
  if (files.has('added_tokens.json')) {
    for (const [text, { id }] of await readAddedTokensJson(path.join(dir, 'added_tokens.json'))) {
      // This file knows ids only; what the others say about white space stays.
      added.set(text, { id, leftStrip: added.get(text)?.leftStrip ?? false });
    }
  }
  return { subwords, added };
}

/** Whether a folder holds a tokenizer's vocabulary. */
export async function hasTokenizer(dir: string): Promise<boolean> {
  const files = await listFolder(dir);
  return (
    files.has('vocab.txt') ||
    (files.has('vocab.json') && files.has('merges.txt')) ||
    sentencePieceFile(files) !== undefined ||
    files.has('tokenizer.json')
  );
}

/** Writes the files that {@link readTokenizerFolder} and the Hub's GLM tokenizers read. */
export async function writeTokenizerFolder(
  dir: string,
  { subwords, commands }: TokenizerDefinition,
  vocabularySize: number,
): Promise<void> {
  const files = new Map<string, string | Uint8Array>();
  const config: Record<string, unknown> = { tokenizer_class: tokenizerClass[subwords.type] };
  switch (subwords.type) {
    case 'bpe':
      files.set('vocab.json', formatVocabJson(subwords.pieces));
      files.set('merges.txt', formatMergesTxt(subwords.merges));
      break;
    case 'wordpiece':
      files.set('vocab.txt', formatVocabTxt(subwords.pieces));
      config['do_lower_case'] = subwords.lowercase;
      break;
    case 'sentencepiece':
      files.set('cog-pretrain.model', subwords.file);
      break;
  }
  // Tokens of the vocabulary itself are found there again.
  const added = commands.filter(({ id }) => id >= vocabularySize).map(({ text, id }) => [text, id] as const);
  files.set('added_tokens.json', `${JSON.stringify(Object.fromEntries(added), null, 2)}\n`);
  files.set('tokenizer_config.json', `${JSON.stringify(config, null, 2)}\n`);
  for (const [name, data] of files) await writeFileAtomically(path.join(dir, name), data);
}

const tokenizerClass = {
  bpe: 'GLMGPT2Tokenizer',
  wordpiece: 'GLMBertTokenizer',
  sentencepiece: 'GLMChineseTokenizer',
} as const;

async function listFolder(dir: string): Promise<Set<string>> {
  try {
    return new Set(await readdir(dir));
  } catch (error) {
    throw ioError(`cannot read the folder ${dir}`, error);
  }
}

async function readVocabulary(
  dir: string,
  files: ReadonlySet<string>,
  config: Record<string, unknown>,
): Promise<TokenizerFiles> {
  const added = new Map<string, AddedToken>();
  const at = (name: string): string => path.join(dir, name);
  if (files.has('vocab.txt')) {
    const lowercase = config['do_lower_case'] !== false;
    return { subwords: { type: 'wordpiece', pieces: await readVocabTxt(at('vocab.txt')), lowercase }, added };
  }
  if (files.has('vocab.json') && files.has('merges.txt')) {
    const [pieces, merges] = await Promise.all([
      readVocabJson(at('vocab.json')),
      readMergesTxt(at('merges.txt')),
    ]);
    return { subwords: { type: 'bpe', pieces, merges }, added };
  }
  const model = sentencePieceFile(files);
  if (model !== undefined) {
    const file = await readFile(at(model)).catch((error: unknown) => {
      throw ioError(`cannot read ${at(model)}`, error);
    });
    return { subwords: { type: 'sentencepiece', file }, added };
  }
  if (files.has('tokenizer.json')) return readTokenizerJson(at('tokenizer.json'));
  throw new GlmError(
    'GLM_TOKENIZER',
    `${dir}: expected a tokenizer (vocab.txt, or vocab.json with merges.txt, or a SentencePiece .model file, ` +
      `or tokenizer.json), ` +
      `found ${files.size === 0 ? 'an empty folder' : [...files].sort().slice(0, 12).join(', ')}; copy the tokenizer's files there`,
  );
}

/**
 * The name of the SentencePiece model: GLM's is cog-pretrain.model, others are accepted when there is one
 * only.
 */
function sentencePieceFile(files: ReadonlySet<string>): string | undefined {
  if (files.has('cog-pretrain.model')) return 'cog-pretrain.model';
  const models = [...files].filter((name) => name.endsWith('.model'));
  return models.length === 1 ? models[0] : undefined;
}
