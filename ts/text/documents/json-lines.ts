import { isBlank } from '../white-space.js';
import { stretches } from '../stretches.js';
import type { Source } from './sources.js';
import { type ByteStream, openBytes } from './bytes.js';
import { LineError, LineReader } from './lines.js';
import { decodeLine, withPlace } from './line-text.js';
import { isBlankLine, PartLines } from './part-lines.js';
import type { DocumentReader, Part, Stretch } from './document.js';

/** Bytes of the longest line: what fits into a string. */
const largest = 1 << 28;
const batchLength = 1 << 16;

/** A JSON object per line, the text of a document in one of its fields. */
export class JsonLinesReader implements DocumentReader {
  readonly #source: Source;
  readonly #field: string;
  readonly #stream: ByteStream;
  readonly #lines: PartLines;

  private constructor(source: Source, field: string, stream: ByteStream) {
    this.#source = source;
    this.#field = field;
    this.#stream = stream;
    this.#lines = new PartLines(new LineReader(stream, Infinity, largest), false);
  }

  static async open(source: Source, field: string): Promise<JsonLinesReader> {
    return new JsonLinesReader(source, field, await openBytes(source));
  }

  get ended(): boolean {
    return this.#lines.ended;
  }

  get consumed(): number {
    return this.#stream.consumed;
  }

  async *read(part: Part): AsyncGenerator<readonly Stretch[], void, undefined> {
    try {
      await this.#lines.begin(part);
      let batch: Stretch[] = [];
      let length = 0;
      for (;;) {
        const line = await this.#lines.next();
        if (line === undefined) break;
        if (isBlankLine(line)) continue;
        const text = this.#textOf(decodeLine(line.bytes, line.start), line.start);
        batch.push(...documentStretches(text));
        length += text.length;
        if (length < batchLength) continue;
        yield batch;
        batch = [];
        length = 0;
      }
      yield batch;
    } catch (error) {
      throw await withPlace(error, this.#source);
    }
  }

  #textOf(line: string, start: number): string {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new LineError(start, `expected a JSON object, found what is none (${(cause as Error).message})`, {
        cause,
      });
    }
    const field = JSON.stringify(this.#field);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new LineError(start, `expected a JSON object with the field ${field}, found ${kindOf(value)}`);
    }
    if (!Object.hasOwn(value, this.#field)) {
      const found = Object.keys(value)
        .slice(0, 10)
        .map((key) => JSON.stringify(key));
      throw new LineError(
        start,
        `expected the field ${field}, found ${found.length === 0 ? 'no field' : found.join(', ')}; ` +
          `name the one that holds the text with the option \`field\``,
      );
    }
    const text = (value as Record<string, unknown>)[this.#field];
    if (typeof text === 'string') return text;
    throw new LineError(start, `expected a string in the field ${field}, found ${kindOf(text)}`);
  }

  async close(): Promise<void> {
    await this.#stream.close();
  }
}

/** A document's text in stretches. None for nothing but white space. */
export function documentStretches(text: string): Stretch[] {
  if (isBlank(text)) return [];
  const pieces = [...stretches(text)];
  return pieces.map((piece, i) => ({ text: piece, last: i === pieces.length - 1 }));
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
