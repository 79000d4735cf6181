import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createGunzip } from 'node:zlib';
import { GlmError } from '../../errors.js';
import { ioError } from '../../files.js';
import { openForReading } from '../../io/positional-read.js';
import type { Source } from './sources.js';
import { documentStretches } from './json-lines.js';
import { ParquetFile } from './parquet-file.js';
import type { DocumentReader, Part, Stretch } from './document.js';

/** A column of a Parquet file, a document per row. A part is a row group. */
export class ParquetReader implements DocumentReader {
  ended = false;
  consumed = 0;
  readonly #source: Source;
  readonly #field: string;
  readonly #file: ParquetFile;

  private constructor(source: Source, field: string, file: ParquetFile) {
    this.#source = source;
    this.#field = field;
    this.#file = file;
  }

  static async open(source: Source, field: string): Promise<ParquetReader> {
    const file = await ParquetFile.open(source.file, () =>
      source.gzip ? unpack(source.file) : openForReading(source.file),
    );
    try {
      checkColumn(source, field, file.columns);
      return new ParquetReader(source, field, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async *read({ from, to }: Part): AsyncGenerator<readonly Stretch[], void, undefined> {
    for await (const { first, rows } of this.#file.read([this.#field], from, to))
      for (const [i, row] of rows.entries()) yield documentStretches(this.#text(row[this.#field], first + i));
    const { rowGroups } = this.#file;
    this.ended = to >= rowGroups;
    this.consumed = Math.floor((this.#source.size * Math.min(to, rowGroups)) / rowGroups);
  }

  #text(value: unknown, row: number): string {
    if (typeof value === 'string') return value;
    throw new GlmError(
      'GLM_DATA',
      `${this.#source.file}: row ${row + 1}: expected a string in the column ${JSON.stringify(this.#field)}, found ` +
        `${value === null || value === undefined ? 'null' : typeof value}`,
    );
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function checkColumn(source: Source, field: string, columns: readonly string[]): void {
  if (columns.includes(field)) return;
  const found = columns.slice(0, 10).map((name) => JSON.stringify(name));
  throw new GlmError(
    'GLM_DATA',
    `${source.file}: expected the column ${JSON.stringify(field)}, found ${found.join(', ')}; name the one that holds ` +
      `the text with the option \`field\``,
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
