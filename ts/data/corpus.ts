/** Text files as rows of tokens for training: tokenized once into a token file, then read in place. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { GlmError } from '../errors.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { isIntact } from './corpus/corpus-writer.js';
import { DocumentIndex } from './corpus/document-index.js';
import { FolderLock } from '../io/folder-lock.js';
import { type DocumentRules, usualRules } from '../text/documents/document.js';
import { baseOf, cacheSuffix, findSources } from '../text/documents/sources.js';
import { documentsOfShare, openSplit } from './corpus/split.js';
import { TokenFile } from './corpus/token-file.js';
import {
  identify,
  type Identity,
  type Manifest,
  tokenizerFingerprint,
  TokenFolder,
} from './corpus/token-folder.js';
import { tokenize, type TokenizeProgress } from './corpus/tokenize.js';
import { Windows, type WindowRules } from './corpus/windows.js';

export type { TokenizeProgress } from './corpus/tokenize.js';

export interface CorpusOptions {
  tokenizer: Tokenizer;
  /**
   * What ends a document of a .txt file, besides the file's end: a blank line, each line's end, or nothing.
   * 'blank-line'
   */
  documents?: 'blank-line' | 'line' | 'file' | undefined;
  /** The field of .jsonl files and the column of .parquet files that holds the text. 'text' */
  field?: string | undefined;
  /** Folder for the token file. Left out: `<path>.glm-corpus`, beside the first path, with a folder per tokenizer. */
  cacheDir?: string | undefined;
  /** Threads that tokenize. Left out: one per processor, at most 8. The token file is the same for any number. */
  workers?: number | undefined;
  /** Windows of one document only, however short. Original: --sample-one-document. false */
  oneDocument?: boolean | undefined;
  /** Begin windows inside of documents with a sentence. Original: --non-sentence-start 0. true */
  sentenceStart?: boolean | undefined;
  /** End windows that are cut off with a sentence, unless that costs half of it. The original always does. true */
  sentenceEnd?: boolean | undefined;
  /** While tokenizing, after each part of a file. */
  onProgress?: ((progress: TokenizeProgress) => void) | undefined;
  /** Stops tokenizing. What has been done is kept: the next `open` goes on from there. */
  signal?: AbortSignal | undefined;
}

const optionNames = new Set<string>([
  'tokenizer',
  'documents',
  'field',
  'cacheDir',
  'workers',
  'oneDocument',
  'sentenceStart',
  'sentenceEnd',
  'onProgress',
  'signal',
] satisfies (keyof CorpusOptions)[]);

export interface RowOptions {
  /** Tokens of a text with its [CLS]; rows have at most one less. */
  maxLength: number;
  /** Decides the order, and what is drawn for a window. */
  seed: number;
  /** Another random order in each epoch; otherwise the order of the files. true */
  shuffle?: boolean | undefined;
}

/** What the views of a corpus share. */
interface Shared {
  readonly folder: TokenFolder;
  readonly manifest: Manifest;
  readonly tokens: TokenFile;
  readonly tokenizer: Tokenizer;
  readonly rules: WindowRules;
  readonly open: Set<{ close(): Promise<void> }>;
}

/** Rows that are read at a time: enough to keep a disk busy, few enough to leave others their turn. */
const rowsAtATime = 8;

/**
 * Documents as tokens, in files that may be larger than memory. A row is a window of `maxLength - 1` tokens at most,
 * without the [CLS] in front; the documents in it end with end-of-text, and those behind the first begin with a [CLS].
 */
export class Corpus {
  readonly documents: number;
  /** Of all documents, each with its end-of-text. */
  readonly tokens: number;
  /** The same where the same samples come out: a run that is resumed compares it. Hash of tokens, split and window rules. */
  readonly fingerprint: string;
  /** The folder of the token file. */
  readonly folder: string;
  readonly #shared: Shared;
  readonly #index: DocumentIndex;
  /** Which side of which split; empty for the whole. */
  readonly #split: string;
  #windows: { length: number; seed: number; windows: Windows } | undefined;

  private constructor(shared: Shared, index: DocumentIndex, split: string) {
    this.#shared = shared;
    this.#index = index;
    this.#split = split;
    this.documents = index.documents;
    this.tokens = index.tokens;
    const { tokenizer, tokens, documents, tokensChecksum, documentsChecksum } = shared.manifest;
    this.fingerprint = hash({
      tokenizer,
      tokens,
      documents,
      tokensChecksum,
      documentsChecksum,
      split,
      rules: shared.rules,
    });
    this.folder = shared.folder.path;
  }

  /**
   * Opens text files: .txt, .jsonl and .parquet, each also as .gz; folders with such files, and globs. The first time,
   * and when a file or the tokenizer has changed, they are tokenized into the cache folder; an attempt that was cut off
   * goes on where it was. A folder that holds a token file (`cacheDir`) can be opened without the text files.
   * @throws GlmError GLM_INVALID_ARGUMENT, GLM_IO, GLM_DATA (with file and line), GLM_LOCKED while another process
   *   tokenizes into the same folder, GLM_CORRUPT_FILE; the signal's reason when it was aborted
   */
  static async open(paths: string | readonly string[], options: CorpusOptions): Promise<Corpus> {
    checkOptions(paths, options);
    const all = typeof paths === 'string' ? [paths] : paths;
    const { tokenizer, oneDocument = false, sentenceStart = true, sentenceEnd = true } = options;
    const { folder, manifest } = await tokenized(all, options);
    const tokens = await TokenFile.open(folder.tokens, manifest.bytesPerToken, manifest.tokens);
    const open = new Set<{ close(): Promise<void> }>([tokens]);
    try {
      const index = await DocumentIndex.open(folder.documents, manifest.documents);
      open.add(index);
      const rules = { oneDocument, sentenceStart, sentenceEnd };
      return new Corpus({ folder, manifest, tokens, tokenizer, rules, open }, index, '');
    } catch (error) {
      await tokens.close();
      throw error;
    }
  }

  /** Windows in an epoch. */
  windows(maxLength: number): number {
    return Math.ceil(this.tokens / (checkedLength(maxLength) - 1));
  }

  /**
   * Samples `begin` … `begin + count - 1` of a run. Sample s is a function of (corpus, seed, maxLength, s) alone; the
   * samples of one epoch after the other have no end.
   * @throws GlmError GLM_INVALID_ARGUMENT, GLM_IO, GLM_CORRUPT_FILE, GLM_DISPOSED
   */
  async rows(
    begin: number,
    count: number,
    { maxLength, seed, shuffle = true }: RowOptions,
  ): Promise<Int32Array[]> {
    for (const [name, value] of Object.entries({ begin, count, seed })) {
      if (!Number.isSafeInteger(value) || value < 0)
        throw invalid('rows', `${name} to be a whole number from 0 on`, value);
    }
    if (this.#shared.open.size === 0)
      throw new GlmError('GLM_DISPOSED', 'the corpus has been closed; open it again');
    const windows = this.#windowsOf(checkedLength(maxLength) - 1, seed);
    const rows = new Array<Int32Array>(count);
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let row = next++; row < count; row = next++)
        rows[row] = await windows.sample(begin + row, shuffle);
    };
    await Promise.all(Array.from({ length: Math.min(count, rowsAtATime) }, lane));
    return rows;
  }

  /**
   * Two corpora of a share of the documents for validation, chosen at random, and the others. They use this one's
   * files: closing any of them closes all.
   * @throws GlmError GLM_INVALID_ARGUMENT, GLM_DATA for less than two documents, GLM_IO
   */
  async split({
    validation,
    seed = 0,
  }: {
    validation: number;
    seed?: number;
  }): Promise<{ train: Corpus; validation: Corpus }> {
    const documents = documentsOfShare(validation, this.documents);
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw invalid('split', 'seed to be a whole number from 0 on', seed);
    const { folder, manifest, open } = this.#shared;
    const name = hash({ of: this.#split, documentsChecksum: manifest.documentsChecksum, documents, seed });
    const sides = await openSplit(path.join(folder.path, `split-${name.slice(0, 16)}`), this.#index, {
      documents,
      seed,
    });
    open.add(sides.train).add(sides.validation);
    return {
      train: new Corpus(this.#shared, sides.train, `${name} train`),
      validation: new Corpus(this.#shared, sides.validation, `${name} validation`),
    };
  }

  /**
   * Reads the whole token file and compares it with its checksums.
   * @throws GlmError GLM_CORRUPT_FILE, GLM_IO
   */
  async verify(): Promise<void> {
    const { folder, manifest } = this.#shared;
    if (await isIntact(folder, manifest.bytesPerToken, manifest)) return;
    throw new GlmError(
      'GLM_CORRUPT_FILE',
      `expected the token file in ${folder.path} to be as it was written, found other checksums; delete the folder and ` +
        `open the text files again`,
    );
  }

  /** Closes the files. */
  async close(): Promise<void> {
    const open = [...this.#shared.open];
    this.#shared.open.clear();
    await Promise.all(open.map((file) => file.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #windowsOf(length: number, seed: number): Windows {
    if (this.#windows?.length !== length || this.#windows.seed !== seed) {
      const { tokens, tokenizer, rules } = this.#shared;
      const vocabulary = { cls: tokenizer.special.cls, sentenceEnds: tokenizer.sentenceEnds };
      const windows = new Windows({ tokens, index: this.#index }, vocabulary, rules, length, seed);
      this.#windows = { length, seed, windows };
    }
    return this.#windows.windows;
  }
}

/** The folder of a complete token file for the paths, which is made if need be. */
async function tokenized(
  paths: readonly string[],
  options: CorpusOptions,
): Promise<{ folder: TokenFolder; manifest: Manifest }> {
  const {
    tokenizer,
    documents = usualRules.documents,
    field = usualRules.field,
    workers,
    onProgress,
    signal,
  } = options;
  signal?.throwIfAborted();
  const opened = paths.length === 1 ? await existingFolder(paths[0]!, tokenizer) : undefined;
  if (opened !== undefined) return opened;
  const rules: DocumentRules = { documents, field };
  const base = baseOf(paths[0]!);
  const sources = await findSources(paths);
  const identity = identify(sources, tokenizer, rules, base);
  const folder = new TokenFolder(path.resolve(options.cacheDir ?? usualFolder(base, paths, identity)));
  const complete = await completeManifest(folder, identity);
  if (complete !== undefined) return { folder, manifest: complete };
  const lock = await FolderLock.take(folder.path);
  try {
    // Another process may have finished since.
    const manifest =
      (await completeManifest(folder, identity)) ??
      (await tokenize({ sources, tokenizer, identity, folder, workers, onProgress, signal }));
    return { folder, manifest };
  } finally {
    await lock.release();
  }
}

/** A folder that holds a token file, given instead of text files. */
async function existingFolder(
  given: string,
  tokenizer: Tokenizer,
): Promise<{ folder: TokenFolder; manifest: Manifest } | undefined> {
  const folder = new TokenFolder(path.resolve(given));
  const manifest = await folder.readManifest();
  if (manifest === undefined) return undefined;
  if (manifest.tokenizer === tokenizerFingerprint(tokenizer)) return { folder, manifest };
  throw new GlmError(
    'GLM_TOKENIZER',
    `expected the tokenizer that ${given} was tokenized with, found another one; open the text files to tokenize them anew`,
  );
}

async function completeManifest(folder: TokenFolder, identity: Identity): Promise<Manifest | undefined> {
  const manifest = await folder.readManifest();
  return manifest?.fingerprint === identity.fingerprint ? manifest : undefined;
}

/** The same paths, tokenizer and rules always have the same folder; a changed file is tokenized into it anew. */
function usualFolder(base: string, paths: readonly string[], { tokenizer, rules }: Identity): string {
  const from = path.dirname(base);
  const names = paths.map((given) => path.relative(from, path.resolve(given)));
  return path.join(`${base}${cacheSuffix}`, hash({ names, tokenizer, rules }).slice(0, 16));
}

function hash(value: object): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function checkOptions(paths: unknown, options: CorpusOptions): void {
  const list = Array.isArray(paths) ? (paths as unknown[]) : [paths];
  if (list.length === 0 || !list.every((given) => typeof given === 'string' && given !== '')) {
    throw invalid('Corpus.open', 'a path or several', paths);
  }
  const unknown = Object.keys(options ?? {}).find((name) => !optionNames.has(name));
  if (unknown !== undefined)
    throw invalid('Corpus.open', `the options ${[...optionNames].join(', ')}`, unknown);
  if (typeof options?.tokenizer?.vocabSize !== 'number') {
    throw invalid('Corpus.open', 'the option tokenizer to be a Tokenizer', options?.tokenizer);
  }
  const { documents, workers } = options;
  if (documents !== undefined && !['blank-line', 'line', 'file'].includes(documents)) {
    throw invalid('Corpus.open', "documents to be 'blank-line', 'line' or 'file'", documents);
  }
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 1)) {
    throw invalid('Corpus.open', 'workers to be a whole number from 1 on', workers);
  }
}

function checkedLength(maxLength: number): number {
  if (Number.isInteger(maxLength) && maxLength >= 2) return maxLength;
  throw invalid('rows', 'maxLength to be a whole number from 2 on', maxLength);
}

function invalid(where: string, expected: string, found: unknown): GlmError {
  const shown = JSON.stringify(found)?.slice(0, 60) ?? typeof found;
  return new GlmError('GLM_INVALID_ARGUMENT', `${where}: expected ${expected}, found ${shown}`);
}
