import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { ioError } from '../../files.js';
import { documentEntryBytes } from './document-index.js';
import type { Checkpoint, Progress, TokenFolder, Written } from './token-folder.js';
import type { TokenChunk } from './tokenize-messages.js';

/** Appends to the two files of a corpus. What was written up to the last `commit` survives being killed. */
export class CorpusWriter {
  readonly #folder: TokenFolder;
  readonly #tokens: FileHandle;
  readonly #documents: FileHandle;
  #written: Written;
  /** Where the last whole document ends. Parts hold whole documents: between parts, that is behind all tokens. */
  #documentEnd: number;

  private constructor(folder: TokenFolder, tokens: FileHandle, documents: FileHandle, written: Written) {
    this.#folder = folder;
    this.#tokens = tokens;
    this.#documents = documents;
    this.#written = written;
    this.#documentEnd = written.tokens;
  }

  /**
   * Goes on from the first of the checkpoints that the files still agree with, or begins anew.
   * @returns the writer, and the checkpoint
   * @throws GlmError GLM_IO
   */
  static async open(
    folder: TokenFolder,
    bytesPerToken: 2 | 4,
    checkpoints: readonly Checkpoint[],
  ): Promise<{ writer: CorpusWriter; from: Checkpoint }> {
    try {
      await mkdir(folder.path, { recursive: true });
      for (const from of checkpoints) {
        const { written } = from;
        if (!(await isIntact(folder, bytesPerToken, written))) continue;
        const [tokens, documents] = await openBoth(folder, 'r+');
        await tokens.truncate(written.tokens * bytesPerToken);
        await documents.truncate((written.documents + 1) * documentEntryBytes);
        return { writer: new CorpusWriter(folder, tokens, documents, written), from };
      }
      // New files instead of emptied ones: someone may be reading the old ones.
      for (const file of [folder.manifest, folder.progress, folder.tokens, folder.documents]) {
        await rm(file, { force: true });
      }
      const [tokens, documents] = await openBoth(folder, 'w');
      const first = Buffer.alloc(documentEntryBytes);
      await documents.write(first, 0, first.length, 0);
      const none = { tokens: 0, documents: 0, tokensChecksum: 0, documentsChecksum: crc32(first) };
      const from = { next: { source: 0, part: 0 }, written: none, beforeSource: none };
      return { writer: new CorpusWriter(folder, tokens, documents, none), from };
    } catch (error) {
      throw ioError(`cannot write the token file in ${folder.path}`, error);
    }
  }

  get written(): Written {
    return this.#written;
  }

  /** @throws GlmError GLM_IO */
  async append(chunk: TokenChunk): Promise<void> {
    const { tokens, documents, tokensChecksum, documentsChecksum } = this.#written;
    const tokenBytes = bytesOf(chunk.tokens);
    const entries = new Float64Array(2 * chunk.documents.length);
    let end = this.#documentEnd;
    chunk.documents.forEach((length, i) => {
      end += length;
      entries[2 * i] = entries[2 * i + 1] = end;
    });
    const entryBytes = bytesOf(entries);
    try {
      await writeAll(this.#tokens, tokenBytes, tokens * chunk.tokens.BYTES_PER_ELEMENT);
      await writeAll(this.#documents, entryBytes, (documents + 1) * documentEntryBytes);
    } catch (error) {
      throw ioError(`cannot write the token file in ${this.#folder.path}`, error);
    }
    this.#documentEnd = end;
    this.#written = {
      tokens: tokens + chunk.tokens.length,
      documents: documents + chunk.documents.length,
      tokensChecksum: crc32(tokenBytes, tokensChecksum),
      documentsChecksum: crc32(entryBytes, documentsChecksum),
    };
  }

  /** Makes what has been written up to here last, so that another attempt can go on from it. @throws GlmError GLM_IO */
  async commit(progress: Progress): Promise<void> {
    await this.sync();
    await this.#folder.writeProgress(progress);
  }

  /** @throws GlmError GLM_IO */
  async sync(): Promise<void> {
    try {
      await this.#tokens.datasync();
      await this.#documents.datasync();
    } catch (error) {
      throw ioError(`cannot write the token file in ${this.#folder.path}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#tokens.close();
    await this.#documents.close();
  }
}

async function openBoth(
  folder: TokenFolder,
  flags: string,
): Promise<[tokens: FileHandle, documents: FileHandle]> {
  const tokens = await open(folder.tokens, flags);
  try {
    return [tokens, await open(folder.documents, flags)];
  } catch (error) {
    await tokens.close();
    throw error;
  }
}

function bytesOf(array: Uint16Array | Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let from = 0; from < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, from, bytes.length - from, position + from);
    from += bytesWritten;
  }
}

/** Whether both files hold what was written, by their checksums. */
export async function isIntact(
  folder: TokenFolder,
  bytesPerToken: 2 | 4,
  written: Written,
): Promise<boolean> {
  return (
    (await checksumOf(folder.tokens, written.tokens * bytesPerToken)) === written.tokensChecksum &&
    (await checksumOf(folder.documents, (written.documents + 1) * documentEntryBytes)) ===
      written.documentsChecksum
  );
}

/** CRC-32 of a file's first `length` bytes; undefined if it is missing or shorter. */
export async function checksumOf(file: string, length: number): Promise<number | undefined> {
  let checksum = 0;
  let seen = 0;
  try {
    if ((await stat(file)).size < length) return undefined;
    if (length === 0) return checksum;
    const stream = createReadStream(file, { end: length - 1, highWaterMark: 1 << 20 });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      checksum = crc32(chunk, checksum);
      seen += chunk.length;
    }
  } catch {
    return undefined;
  }
  return seen === length ? checksum : undefined;
}
