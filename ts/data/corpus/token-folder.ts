/**
 * The folder of a tokenized corpus:
 *
 * - `tokens.bin`: the tokens of all documents, each followed by an end-of-text; 16-bit numbers where the vocabulary
 *   fits, otherwise 32-bit, little-endian
 * - `documents.bin`: where each document ends, as document-index.ts has it
 * - `progress.json`: while tokenizing, up to where both files are complete
 * - `corpus.json`: written last; with it the corpus is whole
 */

import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from '../../files.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import type { PartPlace } from '../../text/documents/plan.js';
import type { DocumentRules } from '../../text/documents/document.js';
import type { Source } from '../../text/documents/sources.js';

/** Changes with anything that changes a file's bytes for the same sources. */
const formatVersion = 1;

export class TokenFolder {
  readonly path: string;

  constructor(folder: string) {
    this.path = folder;
  }

  get tokens(): string {
    return path.join(this.path, 'tokens.bin');
  }

  get documents(): string {
    return path.join(this.path, 'documents.bin');
  }

  get manifest(): string {
    return path.join(this.path, 'corpus.json');
  }

  get progress(): string {
    return path.join(this.path, 'progress.json');
  }

  async readManifest(): Promise<Manifest | undefined> {
    return readJson<Manifest>(this.manifest);
  }

  async writeManifest(manifest: Manifest): Promise<void> {
    await writeFileAtomically(this.manifest, `${JSON.stringify(manifest, undefined, 2)}\n`);
  }

  /** Once there is a manifest. */
  async removeProgress(): Promise<void> {
    await rm(this.progress, { force: true });
  }

  async readProgress(): Promise<Progress | undefined> {
    return readJson<Progress>(this.progress);
  }

  async writeProgress(progress: Progress): Promise<void> {
    await writeFileAtomically(this.progress, JSON.stringify(progress));
  }
}

/** How much of the two files is complete. */
export interface Written {
  readonly tokens: number;
  readonly documents: number;
  /** CRC-32 of the bytes so far. */
  readonly tokensChecksum: number;
  readonly documentsChecksum: number;
}

/** `corpus.json` */
export interface Manifest extends Written, Identity {
  readonly bytesPerToken: 2 | 4;
}

/** The part of the sources that comes next, and what is complete before it. */
export interface Checkpoint {
  readonly next: PartPlace;
  readonly written: Written;
  /** What was complete before that source. */
  readonly beforeSource: Written;
}

/** `progress.json` */
export interface Progress extends Checkpoint {
  readonly partBytes: number;
  /** Hash of the sources before the one that comes next; and that one, if it has been begun. */
  readonly chain: string;
  readonly begun: SourceIdentity | undefined;
}

/** What tells a source from a changed one. */
export interface SourceIdentity {
  readonly file: string;
  readonly size: number;
  readonly modified: number;
}

/** What a token file was made of, and with. */
export interface Identity {
  /** Hash of all the rest: the last of `chainOf`. */
  readonly fingerprint: string;
  readonly version: number;
  readonly tokenizer: string;
  readonly rules: DocumentRules;
  readonly sources: readonly SourceIdentity[];
}

/** @param base the first path's file or folder: names are relative to where it lies, so that all can be moved together */
export function identify(
  sources: readonly Source[],
  tokenizer: Tokenizer,
  rules: DocumentRules,
  base: string,
): Identity {
  const rest = {
    version: formatVersion,
    tokenizer: tokenizerFingerprint(tokenizer),
    rules,
    sources: sources.map(({ file, size, modified }) => ({
      file: path.relative(path.dirname(base), file),
      size,
      modified,
    })),
  };
  return { fingerprint: chainOf(rest).at(-1)!, ...rest };
}

/** A hash of the first n sources, with the tokenizer and the rules, for each n. */
export function chainOf({ version, tokenizer, rules, sources }: Omit<Identity, 'fingerprint'>): string[] {
  const chain = [hash(JSON.stringify({ version, tokenizer, rules }))];
  sources.forEach((source, i) => chain.push(hash(`${chain[i]!}${JSON.stringify(source)}`)));
  return chain;
}

/** A hash of everything that decides what ids a text gets. */
export function tokenizerFingerprint({ definition, special }: Tokenizer): string {
  const { subwords, commands } = definition;
  const pieces = subwords.type === 'sentencepiece' ? hash(subwords.file) : subwords;
  return hash(JSON.stringify({ pieces, commands, eos: special.eos }));
}

function hash(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** The content of a JSON file; undefined where there is none or it is broken, since it can be made again. */
async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
