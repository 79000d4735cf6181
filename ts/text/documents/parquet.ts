import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createGunzip } from 'node:zlib';
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { GlmError } from '../../errors.js';
import { ioError } from '../../files.js';
import { openForReading, readExactly } from '../../io/positional-read.js';
import type { Source } from './sources.js';
import { documentStretches } from './json-lines.js';
import type { DocumentReader, Part, Stretch } from './reader.js';

/** Rows that are in memory at a time where the file says where its pages are; otherwise it is a row group. */
const rowsAtATime = 1024;

/** A column of a Parquet file, a document per row. A part is a row group. */
export class ParquetReader implements DocumentReader {
  ended = false;
  consumed = 0;
  readonly #source: Source;
  readonly #field: string;
  readonly #handle: FileHandle;
  readonly #buffer: AsyncBuffer;
  readonly #metadata: FileMetaData;

  private constructor(
    source: Source,
    field: string,
    handle: FileHandle,
    buffer: AsyncBuffer,
    metadata: FileMetaData,
  ) {
    this.#source = source;
    this.#field = field;
    this.#handle = handle;
    this.#buffer = buffer;
    this.#metadata = metadata;
  }

  static async open(source: Source, field: string): Promise<ParquetReader> {
    const handle = source.gzip ? await unpack(source.file) : await openForReading(source.file);
    try {
      const { size } = await handle.stat();
      const buffer: AsyncBuffer = {
        byteLength: size,
        async slice(start, end = size) {
          const bytes = new Uint8Array(end - start);
          await readExactly(source.file, handle, bytes, start);
          return bytes.buffer;
        },
      };
      const metadata = await parquetMetadataAsync(buffer).catch((error: unknown) => {
        throw unreadable(source, 'a Parquet file', error);
      });
      checkColumn(source, field, metadata);
      return new ParquetReader(source, field, handle, buffer, metadata);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async *read({ from, to }: Part): AsyncGenerator<readonly Stretch[], void, undefined> {
    const groups = this.#metadata.row_groups;
    let row = groups.slice(0, from).reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
    for (const group of groups.slice(from, to)) {
      const groupEnd = row + Number(group.num_rows);
      const hasPages = group.columns.every(({ offset_index_offset }) => offset_index_offset !== undefined);
      const step = hasPages ? rowsAtATime : Infinity;
      for (; row < groupEnd; row = Math.min(row + step, groupEnd)) {
        yield* this.#readRows(row, Math.min(row + step, groupEnd), hasPages);
      }
    }
    this.ended = to >= groups.length;
    this.consumed = Math.floor((this.#source.size * Math.min(to, groups.length)) / groups.length);
  }

  async *#readRows(
    rowStart: number,
    rowEnd: number,
    useOffsetIndex: boolean,
  ): AsyncGenerator<readonly Stretch[], void, undefined> {
    const found = await parquetReadObjects({
      file: this.#buffer,
      metadata: this.#metadata,
      columns: [this.#field],
      rowStart,
      rowEnd,
      useOffsetIndex,
      compressors,
      parsers: { stringFromBytes: decodeStrictly },
    }).catch((error: unknown) => {
      throw unreadable(this.#source, `readable data in rows ${rowStart + 1} to ${rowEnd}`, error);
    });
    for (const [i, row] of found.entries()) {
      const text: unknown = row[this.#field];
      if (typeof text === 'string') {
        yield documentStretches(text);
        continue;
      }
      throw new GlmError(
        'GLM_DATA',
        `${this.#source.file}: row ${rowStart + i + 1}: expected a string in the column ${JSON.stringify(this.#field)}, found ` +
          `${text === null || text === undefined ? 'null' : typeof text}`,
      );
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function checkColumn(source: Source, field: string, metadata: FileMetaData): void {
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  if (columns.includes(field)) return;
  const found = columns.slice(0, 10).map((name) => JSON.stringify(name));
  throw new GlmError(
    'GLM_DATA',
    `${source.file}: expected the column ${JSON.stringify(field)}, found ${found.join(', ')}; name the one that holds ` +
      `the text with the option \`field\``,
  );
}

function decodeStrictly(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new Error('a string that is not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function unreadable(source: Source, expected: string, error: unknown): GlmError {
  if (error instanceof GlmError) return error;
  const found = error instanceof Error ? error.message : String(error);
  return new GlmError(
    'GLM_DATA',
    `${source.file}: expected ${expected}, found what cannot be read (${found})`,
    {
      cause: error,
    },
  );
}

/** Rows can only be found in an unpacked file: it is unpacked into one that has no name and is gone once closed. */
async function unpack(file: string): Promise<FileHandle> {
  const temporary = path.join(
    tmpdir(),
    `glm-corpus-${process.pid}-${randomBytes(8).toString('hex')}.parquet`,
  );
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx+');
    await rm(temporary);
    const input = createReadStream(file);
    const unpacked = createGunzip();
    input.on('error', (error) => unpacked.destroy(error));
    for await (const chunk of input.pipe(unpacked) as AsyncIterable<Buffer>) await handle.appendFile(chunk);
    return handle;
  } catch (error) {
    await handle?.close();
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') !== true) throw ioError(`cannot unpack ${file}`, error);
    throw new GlmError('GLM_DATA', `${file}: expected gzip data, found what cannot be unpacked`, {
      cause: error,
    });
  }
}
