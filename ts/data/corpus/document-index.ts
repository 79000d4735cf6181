import type { FileHandle } from 'node:fs/promises';
import { openForReading, readExactly } from '../../io/positional-read.js';

/**
 * `documents.bin`, and the files of the splits: entry 0 is zero, entry d + 1 says of document d where it ends among the
 * tokens of the documents in this index, and where in the token file, each a 64-bit float (exact up to 2^53), little-endian.
 */
export const documentEntryBytes = 16;

/** Documents of a block: what one look reads. */
const blockDocuments = 256;
/** Blocks that are kept, 16 MiB; the oldest goes first, since any is as likely as another to be needed again. */
const mostBlocks = 4096;

/** A document, in tokens with its end-of-text. */
export interface DocumentPlace {
  readonly document: number;
  /** Where it begins among the tokens of the index' documents. */
  readonly begin: number;
  /** Where it begins in the token file. */
  readonly fileBegin: number;
  readonly length: number;
}

/** Finds documents by place. Holds one number per 256 documents; the rest is read when it is needed. */
export class DocumentIndex {
  readonly documents: number;
  readonly tokens: number;
  readonly #file: string;
  readonly #handle: FileHandle;
  /** Where each block's first document begins. */
  readonly #blockBegins: Float64Array;
  readonly #blocks = new Map<number, Float64Array>();

  private constructor(
    file: string,
    handle: FileHandle,
    documents: number,
    tokens: number,
    begins: Float64Array,
  ) {
    this.#file = file;
    this.#handle = handle;
    this.documents = documents;
    this.tokens = tokens;
    this.#blockBegins = begins;
  }

  /** @throws GlmError GLM_IO, GLM_CORRUPT_FILE */
  static async open(file: string, documents: number): Promise<DocumentIndex> {
    const handle = await openForReading(file);
    try {
      const begins = new Float64Array(Math.ceil(documents / blockDocuments));
      let tokens = 0;
      let block = 0;
      for await (const { first, entries } of readEntries(file, handle, documents)) {
        // A piece holds whole blocks, and begins with the entry before its first document.
        for (let d = 0; first + d < documents && 2 * d < entries.length - 2; d += blockDocuments) {
          begins[block++] = entries[2 * d]!;
        }
        tokens = entries.at(-2)!;
      }
      return new DocumentIndex(file, handle, documents, tokens, begins);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The document that the token at `position` belongs to. */
  async find(position: number): Promise<DocumentPlace> {
    const block = lastNotAbove(this.#blockBegins, this.#blockBegins.length, 1, position);
    const entries = this.#blocks.get(block) ?? (await this.#load(block));
    const within = lastNotAbove(entries, entries.length / 2 - 1, 2, position);
    const begin = entries[2 * within]!;
    const length = entries[2 * within + 2]! - begin;
    return {
      document: block * blockDocuments + within,
      begin,
      fileBegin: entries[2 * within + 3]! - length,
      length,
    };
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** All entries, a few at a time; `entries` begins with the one before document `first`. */
  read(): AsyncIterable<{ first: number; entries: Float64Array }> {
    return readEntries(this.#file, this.#handle, this.documents);
  }

  async #load(block: number): Promise<Float64Array> {
    const first = block * blockDocuments;
    const count = Math.min(blockDocuments, this.documents - first);
    const entries = await readRange(this.#file, this.#handle, first, count);
    if (this.#blocks.size >= mostBlocks) this.#blocks.delete(this.#blocks.keys().next().value!);
    this.#blocks.set(block, entries);
    return entries;
  }
}

const pieceDocuments = 256 * blockDocuments;

async function* readEntries(
  file: string,
  handle: FileHandle,
  documents: number,
): AsyncGenerator<{ first: number; entries: Float64Array }, void, undefined> {
  for (let first = 0; first < documents; first += pieceDocuments) {
    const count = Math.min(pieceDocuments, documents - first);
    yield { first, entries: await readRange(file, handle, first, count) };
  }
}

/** The entry before a document, and those of `count` documents from there on. */
async function readRange(
  file: string,
  handle: FileHandle,
  first: number,
  count: number,
): Promise<Float64Array> {
  const entries = new Float64Array(2 * (count + 1));
  await readExactly(file, handle, new Uint8Array(entries.buffer), first * documentEntryBytes);
  return entries;
}

/** The last of `count` ascending numbers, `stride` apart, that is not above `value`. */
function lastNotAbove(numbers: Float64Array, count: number, stride: number, value: number): number {
  let [low, high] = [0, count - 1];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (numbers[middle * stride]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
