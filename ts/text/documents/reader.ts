import type { DocumentReader, DocumentRules, Part } from './document.js';
import { JsonLinesReader } from './json-lines.js';
import { ParquetReader } from './parquet.js';
import type { Source } from './sources.js';
import { TextReader } from './text.js';

/** Bytes of text in a part, unless told otherwise. */
export const usualPartBytes = 8 << 20;

/** How many parts a file has, or undefined where only reading it shows. */
export function countParts(source: Source, rules: DocumentRules, partBytes: number): number | undefined {
  if (source.format === 'text' && rules.documents === 'file') return 1;
  if (source.format === 'parquet') return source.gzip ? 1 : undefined;
  // So little isn't worth sharing.
  if (source.gzip) return source.size <= partBytes / 8 ? 1 : undefined;
  return Math.max(1, Math.ceil(source.size / partBytes));
}

/** Part `index` of a file that has `count` of them. */
export function partOf(source: Source, index: number, count: number | undefined, partBytes: number): Part {
  if (count === 1) return { index, from: 0, to: Infinity };
  const step = source.format === 'parquet' ? 1 : partBytes;
  return { index, from: index * step, to: (index + 1) * step };
}

export async function openReader(source: Source, rules: DocumentRules): Promise<DocumentReader> {
  switch (source.format) {
    case 'text':
      return TextReader.open(source, rules.documents);
    case 'json-lines':
      return JsonLinesReader.open(source, rules.field);
    case 'parquet':
      return ParquetReader.open(source, rules.field);
  }
}

/** Reads parts of any sources, in the order that they come in. */
export class PartReader {
  readonly #rules: DocumentRules;
  /** Kept open from part to part: packed files can only be read forward. */
  #open: { file: string; reader: DocumentReader } | undefined;

  constructor(rules: DocumentRules) {
    this.#rules = rules;
  }

  /** The reader of a source, until another source is asked for. */
  async of(source: Source): Promise<DocumentReader> {
    if (this.#open?.file === source.file) return this.#open.reader;
    await this.close();
    const reader = await openReader(source, this.#rules);
    this.#open = { file: source.file, reader };
    return reader;
  }

  async close(): Promise<void> {
    await this.#open?.reader.close();
    this.#open = undefined;
  }
}
