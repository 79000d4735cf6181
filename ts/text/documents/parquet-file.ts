/** Rows of a Parquet file, a stretch at a time. */

import { isUtf8 } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { GlmError } from '../../errors.js';
import { openForReading, readExactly } from '../../io/positional-read.js';

/** Rows that are in memory at a time where the file says where its pages are; otherwise it is a row group. */
const rowsAtATime = 1024;

export type ParquetRow = Record<string, unknown>;

/** Rows that lie one behind the other; `first` counts from 0. */
export interface ParquetRows {
  first: number;
  rows: readonly ParquetRow[];
}

export class ParquetFile {
  /** The names of its columns. */
  readonly columns: readonly string[];
  readonly rowGroups: number;
  readonly #name: string;
  readonly #handle: FileHandle;
  readonly #buffer: AsyncBuffer;
  readonly #metadata: FileMetaData;

  private constructor(name: string, handle: FileHandle, buffer: AsyncBuffer, metadata: FileMetaData) {
    this.columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    this.rowGroups = metadata.row_groups.length;
    this.#name = name;
    this.#handle = handle;
    this.#buffer = buffer;
    this.#metadata = metadata;
  }

  /**
   * @param open where its bytes are, when not in the file itself; closed with this
   * @throws GlmError GLM_IO, GLM_DATA
   */
  static async open(name: string, open: () => Promise<FileHandle> = () => openForReading(name)) {
    const handle = await open();
    try {
      const { size } = await handle.stat();
      const buffer: AsyncBuffer = {
        byteLength: size,
        async slice(start, end = size) {
          const bytes = new Uint8Array(end - start);
          await readExactly(name, handle, bytes, start);
          return bytes.buffer;
        },
      };
      const metadata = await parquetMetadataAsync(buffer).catch((error: unknown) => {
        throw unreadable(name, 'a Parquet file', error);
      });
      return new ParquetFile(name, handle, buffer, metadata);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The rows of row groups [from, to). Throws `GLM_DATA`. */
  async *read(
    columns: readonly string[],
    from = 0,
    to = this.rowGroups,
  ): AsyncGenerator<ParquetRows, void, undefined> {
    const groups = this.#metadata.row_groups;
    let row = groups.slice(0, from).reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
    for (const group of groups.slice(from, to)) {
      const groupEnd = row + Number(group.num_rows);
      const hasPages = group.columns.every(({ offset_index_offset }) => offset_index_offset !== undefined);
      const step = hasPages ? rowsAtATime : Infinity;
      for (; row < groupEnd; row = Math.min(row + step, groupEnd)) {
        const rowEnd = Math.min(row + step, groupEnd);
        const rows = await parquetReadObjects({
          file: this.#buffer,
          metadata: this.#metadata,
          columns: [...columns],
          rowStart: row,
          rowEnd,
          useOffsetIndex: hasPages,
          compressors,
          parsers: { stringFromBytes: decodeStrictly },
        }).catch((error: unknown) => {
          throw unreadable(this.#name, `readable data in rows ${row + 1} to ${rowEnd}`, error);
        });
        yield { first: row, rows };
      }
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function decodeStrictly(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new Error('a string that is not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function unreadable(name: string, expected: string, error: unknown): GlmError {
  if (error instanceof GlmError) return error;
  const found = error instanceof Error ? error.message : String(error);
  return new GlmError('GLM_DATA', `${name}: expected ${expected}, found what cannot be read (${found})`, {
    cause: error,
  });
}
