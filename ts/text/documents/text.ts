import type { Source } from './sources.js';
import { type ByteStream, openBytes } from './bytes.js';
import { DocumentAssembler } from './document-assembler.js';
import { LineReader } from './lines.js';
import { decodeLine, withPlace } from './line-text.js';
import { isBlankLine, PartLines } from './part-lines.js';
import type { DocumentReader, DocumentRules, Part, Stretch } from './document.js';

/** Bytes of a line that are read before it is given in parts, and of the longest stretch without a place to cut. */
const cutFrom = 1 << 20;
const largest = 1 << 28;

/** Plain text, its documents ended by a blank line, by each line's end or by the file's only. */
export class TextReader implements DocumentReader {
  readonly #source: Source;
  readonly #documents: DocumentRules['documents'];
  readonly #stream: ByteStream;
  readonly #lines: PartLines;

  private constructor(source: Source, documents: DocumentRules['documents'], stream: ByteStream) {
    this.#source = source;
    this.#documents = documents;
    this.#stream = stream;
    this.#lines = new PartLines(new LineReader(stream, cutFrom, largest), documents === 'blank-line');
  }

  static async open(source: Source, documents: DocumentRules['documents']): Promise<TextReader> {
    return new TextReader(source, documents, await openBytes(source));
  }

  get ended(): boolean {
    return this.#lines.ended;
  }

  get consumed(): number {
    return this.#stream.consumed;
  }

  async *read(part: Part): AsyncGenerator<readonly Stretch[], void, undefined> {
    const assembler = new DocumentAssembler();
    try {
      await this.#lines.begin(part);
      for (;;) {
        const line = await this.#lines.next();
        if (line === undefined) break;
        if (this.#documents === 'blank-line' && isBlankLine(line)) {
          assembler.endDocument();
        } else {
          assembler.add(decodeLine(line.bytes, line.start), line.begins);
          if (this.#documents === 'line' && line.ends) assembler.endDocument();
        }
        if (assembler.isFull) yield assembler.take();
      }
      assembler.endDocument();
      yield assembler.take();
    } catch (error) {
      throw await withPlace(error, this.#source);
    }
  }

  async close(): Promise<void> {
    await this.#stream.close();
  }
}
