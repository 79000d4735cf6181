import { isBlank } from '../white-space.js';
import type { Line, LineReader } from './lines.js';
import type { Part } from './document.js';

/**
 * The lines of a file, part after part. A part of bytes [from, to) begins with the first boundary at `from` or behind it
 * and ends with the first one at `to` or behind it; a boundary is the beginning of a line, or of a blank line.
 */
export class PartLines {
  /** Whether nothing follows the part that was read last. */
  ended = false;
  readonly #lines: LineReader;
  readonly #atBlankLines: boolean;
  /** The first boundary behind any place from `cut` to `at`; what follows it has not been read. */
  #boundary = { cut: 0, at: 0 };
  #to = 0;

  constructor(lines: LineReader, atBlankLines: boolean) {
    this.#lines = lines;
    this.#atBlankLines = atBlankLines;
  }

  async begin({ from, to }: Part): Promise<void> {
    this.#to = to;
    this.ended = false;
    const { cut, at } = this.#boundary;
    if (cut <= from && from <= at) return;
    await this.#lines.seekLine(from);
    this.#boundary = { cut: from, at: this.#lines.position };
    if (this.#atBlankLines) await this.#skipToBlankLine(from);
  }

  async #skipToBlankLine(from: number): Promise<void> {
    for (;;) {
      const line = this.#lines.nextAtHand() ?? (await this.#lines.next());
      if (line === undefined) {
        this.ended = true;
        return;
      }
      if (isBlankLine(line)) {
        this.#boundary = { cut: from, at: line.start };
        return;
      }
    }
  }

  /** The part's next line. */
  async next(): Promise<Line | undefined> {
    const to = this.#to;
    if (this.ended || this.#boundary.at >= to) return undefined;
    if (!this.#atBlankLines && !this.#lines.midLine && this.#lines.position >= to) {
      this.#boundary = { cut: to, at: this.#lines.position };
      return undefined;
    }
    const line = this.#lines.nextAtHand() ?? (await this.#lines.next());
    if (line === undefined) {
      this.ended = true;
    } else if (this.#atBlankLines && line.start >= to && isBlankLine(line)) {
      this.#boundary = { cut: to, at: line.start };
      return undefined;
    }
    return line;
  }
}

/** Whether there is nothing but white space in a whole line. */
export function isBlankLine({ bytes, begins, ends }: Line): boolean {
  // Nearly all lines show a visible character at once.
  if (!begins || !ends || (bytes.length > 0 && bytes[0]! > 0x20 && bytes[0]! < 0x7f)) return false;
  return bytes.length === 0 || isBlank(bytes.toString('utf8'));
}
