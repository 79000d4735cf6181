import type { ByteStream } from './bytes.js';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** A line, or a part of a very long one. */
export interface Line {
  /** Where it begins in the file. */
  readonly start: number;
  /** Without what ends it. They hold until the next line is asked for. */
  readonly bytes: Buffer;
  /** False where it goes on what was given before, and where it goes on behind this. */
  readonly begins: boolean;
  readonly ends: boolean;
}

/** Reads lines from any place of a file on. LF and CR LF end a line; a byte order mark at the beginning is left out. */
export class LineReader {
  readonly #stream: ByteStream;
  readonly #cutFrom: number;
  readonly #largest: number;
  /** What has been read and not been given yet is at [at, end). */
  #buffer = Buffer.allocUnsafeSlow(1 << 20);
  #end = 0;
  /** Position in the file of the buffer's first byte. */
  #bufferStart = 0;
  #at = 0;
  #atEnd = false;
  #midLine = false;

  /**
   * @param cutFrom bytes from which on a line is given in parts, cut before a space between two ASCII characters
   * @param largest bytes of the longest line, or part, that is put up with
   */
  constructor(stream: ByteStream, cutFrom: number, largest: number) {
    this.#stream = stream;
    this.#cutFrom = cutFrom;
    this.#largest = largest;
  }

  /** Where the next line, or part of one, begins. */
  get position(): number {
    return this.#bufferStart + this.#at;
  }

  /** Goes to the first line that begins at `position` or behind it. */
  async seekLine(position: number): Promise<void> {
    this.#midLine = false;
    if (position === 0) return this.#seek(0);
    if (position === this.position && this.#startsLine()) return;
    // The byte before says whether a line begins right here.
    await this.#seek(position - 1);
    for (;;) {
      const end = this.#lineFeedFrom(this.#at);
      if (end >= 0) {
        this.#at = end + 1;
        return;
      }
      this.#at = this.#end;
      if (!(await this.#fill())) return;
    }
  }

  /** Whether the rest of a line comes next. */
  get midLine(): boolean {
    return this.#midLine;
  }

  /** Whether what was read last shows that a line begins here. */
  #startsLine(): boolean {
    return this.#at > 0 && this.#buffer[this.#at - 1] === lineFeed;
  }

  async #seek(position: number): Promise<void> {
    const offset = position - this.#bufferStart;
    if (offset >= 0 && offset <= this.#end && this.#end > 0) {
      this.#at = offset;
      return;
    }
    await this.#stream.seek(position);
    this.#bufferStart = position;
    this.#at = this.#end = 0;
    this.#atEnd = false;
  }

  /** The next line if it has been read already, without waiting. */
  nextAtHand(): Line | undefined {
    const end = this.#lineFeedFrom(this.#at);
    return end < 0 ? undefined : this.#take(end, true);
  }

  /** The next line, or undefined at the file's end. @throws LineError for one that is too long */
  async next(): Promise<Line | undefined> {
    let looked = this.#at;
    for (;;) {
      const end = this.#lineFeedFrom(looked);
      if (end >= 0) return this.#take(end, true);
      const length = this.#end - this.#at;
      if (length >= this.#cutFrom) {
        const cut = this.#lastCut();
        if (cut > this.#at) return this.#take(cut, false);
      }
      if (length > this.#largest) {
        throw new LineError(
          this.position,
          `expected a line of less than ${this.#largest >> 20} MiB, found a longer one; break it into lines`,
        );
      }
      const before = this.#bufferStart + this.#end;
      if (!(await this.#fill())) break;
      looked = before - this.#bufferStart;
    }
    return this.#at < this.#end ? this.#take(this.#end, true) : undefined;
  }

  #take(end: number, ends: boolean): Line {
    let from = this.#at;
    const start = this.position;
    const last = ends && end > from && this.#buffer[end - 1] === carriageReturn ? end - 1 : end;
    if (start === 0 && byteOrderMark.equals(this.#buffer.subarray(from, Math.min(from + 3, last)))) from += 3;
    this.#at = ends ? Math.min(end + 1, this.#end) : end;
    const begins = !this.#midLine;
    this.#midLine = !ends;
    return { start, bytes: this.#buffer.subarray(from, last), begins, ends };
  }

  /** The last space with a visible ASCII character on both sides: every tokenizer here starts a new word there. */
  #lastCut(): number {
    const buffer = this.#buffer;
    for (let i = this.#end - 2; i > this.#at; i--) {
      if (buffer[i] === 0x20 && isVisible(buffer[i - 1]!) && isVisible(buffer[i + 1]!)) return i;
    }
    return this.#at;
  }

  /** Adds the next bytes to those that are left. */
  async #fill(): Promise<boolean> {
    if (this.#atEnd) return false;
    const chunk = await this.#stream.next();
    if (chunk === undefined) {
      this.#atEnd = true;
      return false;
    }
    // One byte of what is done stays: seekLine looks at it.
    const keep = Math.max(0, this.#at - 1);
    this.#buffer.copyWithin(0, keep, this.#end);
    this.#bufferStart += keep;
    this.#at -= keep;
    this.#end -= keep;
    this.#makeRoom(chunk.length);
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
    return true;
  }

  #makeRoom(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.length, this.#end + bytes));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }

  /** Where the next line feed is among what has been read, or -1. */
  #lineFeedFrom(at: number): number {
    const found = this.#buffer.indexOf(lineFeed, at);
    return found < this.#end ? found : -1;
  }
}

/** Something is wrong with the line that begins at byte `start`. */
export class LineError extends Error {
  readonly start: number;

  constructor(start: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.start = start;
  }
}

function isVisible(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f;
}

/** The number of the line at a position, from 1. Reads the file up to there: for messages only. */
export async function lineNumberAt(stream: ByteStream, position: number): Promise<number> {
  await stream.seek(0);
  let lines = 1;
  for (let start = 0; start < position;) {
    const chunk = await stream.next();
    if (chunk === undefined) break;
    const end = Math.min(chunk.length, position - start);
    for (let at = chunk.indexOf(lineFeed); at >= 0 && at < end; at = chunk.indexOf(lineFeed, at + 1)) lines++;
    start += chunk.length;
  }
  return lines;
}
