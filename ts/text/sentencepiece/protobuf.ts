import { GlmError } from '../../errors.js';

const utf8 = new TextDecoder();

/**
 * Steps through the fields of a protocol buffer message (https://protobuf.dev/programming-guides/encoding).
 */
export class ProtobufReader {
  /**
   * The number of the field that `next` came to, and its value, as far as the field is of that kind; the
   * others are undefined or old.
   */
  field = 0;
  integer: number | undefined;
  float: number | undefined;
  readonly #file: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;
  #bytesStart = -1;

  constructor(file: Uint8Array, start = 0, end = file.length) {
    this.#file = file;
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    this.#at = start;
    this.#end = end;
  }

  /** Goes to the next field; false at the end of the message. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.integer = undefined;
    this.float = undefined;
    this.#bytesStart = -1;
    switch (tag % 8) {
      case 0:
        this.integer = this.#varint();
        return true;
      case 1:
        this.float = this.#view.getFloat64(this.#skip(8), true);
        return true;
      case 2:
        this.#bytesStart = this.#skip(this.#varint());
        return true;
      case 5:
        this.float = this.#view.getFloat32(this.#skip(4), true);
        return true;
      default:
        throw this.#damaged(`wire type 0, 1, 2 or 5 instead of ${tag % 8}`);
    }
  }

  get bytes(): Uint8Array {
    return this.#file.subarray(this.#startOfBytes(), this.#at);
  }

  get text(): string {
    return utf8.decode(this.bytes);
  }

  get message(): ProtobufReader {
    return new ProtobufReader(this.#file, this.#startOfBytes(), this.#at);
  }

  #startOfBytes(): number {
    if (this.#bytesStart < 0) throw this.#damaged(`bytes in field ${this.field}`);
    return this.#bytesStart;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; this.#at < this.#end && factor < 2 ** 64; factor *= 128) {
      const byte = this.#file[this.#at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw this.#damaged('a number that ends');
  }

  /** Returns where the skipped bytes start. */
  #skip(length: number): number {
    if (length > this.#end - this.#at) throw this.#damaged(`${length} more bytes`);
    const start = this.#at;
    this.#at += length;
    return start;
  }

  #damaged(expected: string): GlmError {
    return new GlmError(
      'GLM_TOKENIZER',
      `SentencePiece model: expected ${expected} at byte ${this.#at} of ${this.#end}; ` +
        `the file is damaged or not a model`,
    );
  }
}
