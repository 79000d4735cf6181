/** Reads the files of data sets, line by line, and says where something is wrong. */

import { createReadStream } from 'node:fs';

import { GlmError } from '../errors.js';
import { ioError } from '../files.js';
import { ParquetFile } from '../text/documents/parquet-file.js';

/** A line of a file, with its place for messages. */
export interface PlacedLine {
  /** `file:line` */
  where: string;
  text: string;
}

/** The lines of a text file, without what ends them. LF and CR LF end a line. Throws `GLM_IO`. */
export async function* linesOf(file: string): AsyncGenerator<PlacedLine, void, void> {
  let number = 0;
  let rest = '';
  const line = (text: string): PlacedLine => ({
    where: `${file}:${++number}`,
    text: text.endsWith('\r') ? text.slice(0, -1) : text,
  });
  try {
    for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
      const texts = (rest + (chunk as string)).split('\n');
      rest = texts.pop()!;
      for (const text of texts) yield line(text);
    }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === undefined ? error : ioError(`cannot read ${file}`, error);
  }
  if (rest !== '') yield line(rest);
}

/** The objects of a .jsonl file, or the rows of a .parquet file. A line that is none goes to `bad`. */
export async function* objectsOf(
  file: string,
  bad: (error: unknown) => void,
): AsyncGenerator<Fields, void, void> {
  if (file.endsWith('.parquet')) return yield* rowsOf(file);
  for await (const { where, text } of linesOf(file)) {
    if (text.trim() === '') continue;
    try {
      yield new Fields(where, JSON.parse(text));
    } catch (error) {
      bad(error instanceof GlmError ? error : dataError(where, 'a JSON object', text));
    }
  }
}

async function* rowsOf(file: string): AsyncGenerator<Fields, void, void> {
  const parquet = await ParquetFile.open(file);
  try {
    for await (const { first, rows } of parquet.read(parquet.columns))
      for (const [i, row] of rows.entries()) yield new Fields(`${file}: row ${first + i + 1}`, plain(row));
  } finally {
    await parquet.close();
  }
}

/** A row's values as JSON has them: its whole numbers are of 64 bits. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}

/** A `GLM_DATA` error about a place of a file. */
export function dataError(where: string, expected: string, found: unknown): GlmError {
  const shown = typeof found === 'string' ? found : (JSON.stringify(found) ?? 'none');
  const short = shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
  return new GlmError(
    'GLM_DATA',
    `${where}: expected ${expected}, found ${short.trim() === '' ? 'an empty text' : short}`,
  );
}

/** The fields of a JSON object, each checked as it is asked for. Every method throws `GLM_DATA`. */
export class Fields {
  readonly where: string;
  readonly #value: Readonly<Record<string, unknown>>;

  constructor(where: string, value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw dataError(where, 'a JSON object', value);
    this.where = where;
    this.#value = value as Record<string, unknown>;
  }

  /** The same fields, whose place is said more closely. */
  at(place: string): Fields {
    return new Fields(`${this.where}, ${place}`, this.#value);
  }

  has(name: string): boolean {
    return this.#value[name] !== undefined && this.#value[name] !== null;
  }

  get(name: string): unknown {
    return this.#value[name];
  }

  /** A text that is not empty. */
  text(...names: readonly string[]): string {
    const name = names.find((candidate) => this.has(candidate)) ?? names[0]!;
    const value = this.#value[name];
    if (typeof value === 'string' && value.trim() !== '') return value;
    throw dataError(this.where, `a text in the field ${names.join(' or ')}`, value);
  }

  integer(name: string): number {
    const value = this.#value[name];
    if (Number.isSafeInteger(value)) return value as number;
    throw dataError(this.where, `a whole number in the field ${name}`, value);
  }

  object(name: string): Fields {
    const value = this.#value[name];
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return new Fields(this.where, value);
    throw dataError(this.where, `an object in the field ${name}`, value);
  }

  objects(name: string): Fields[] {
    const value = this.#value[name];
    if (!Array.isArray(value)) throw dataError(this.where, `a list in the field ${name}`, value);
    return value.map((item) => new Fields(this.where, item));
  }

  /** A list of texts that are not empty, at least one. */
  texts(name: string): string[] {
    const value = this.#value[name];
    if (!Array.isArray(value) || value.length === 0)
      throw dataError(this.where, `a list of texts in the field ${name}`, value);
    return value.map((item: unknown) => {
      if (typeof item === 'string' && item.trim() !== '') return item;
      throw dataError(this.where, `texts in the field ${name}`, item);
    });
  }

  /** The place of the field's value among labels, which are compared as texts; undefined where there is none. */
  label(labels: readonly string[], name = 'label'): number | undefined {
    if (!this.has(name)) return undefined;
    const place = labels.indexOf(String(this.#value[name]));
    if (place >= 0) return place;
    throw dataError(this.where, `one of ${labels.join(', ')} in the field ${name}`, this.#value[name]);
  }
}
