/**
 * Writes zip archives of stored entries, each beginning at a multiple of 64 bytes so that tensors can be used where they lie,
 * as PyTorch does. Source: APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3.
 */

import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

const alignment = 64;
const in64Bits = 0xffffffff;
const chunkBytes = 16 * 2 ** 20;
/** The version of the format that has 64-bit sizes. */
const version = 45;
/** An extra field that only takes up space; PyTorch uses the same. */
const paddingField = 0x4246;
/** 1980-01-01, the earliest: archives of the same contents are the same bytes. */
const date = 0x21;

interface WrittenEntry {
  name: Buffer;
  header: number;
  size: number;
  checksum: number;
}

export class ZipWriter {
  readonly #handle: FileHandle;
  readonly #entries: WrittenEntry[] = [];
  #at = 0;

  /** Writes to an empty file. */
  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async add(name: string, bytes: Uint8Array): Promise<void> {
    const entry: WrittenEntry = {
      name: Buffer.from(name),
      header: this.#at,
      size: bytes.length,
      checksum: 0,
    };
    const header = this.#localHeader(entry);
    this.#at += header.length;
    for (let begin = 0; begin < bytes.length; begin += chunkBytes) {
      const chunk = bytes.subarray(begin, begin + chunkBytes);
      entry.checksum = crc32(chunk, entry.checksum);
      await this.#write(chunk, this.#at);
      this.#at += chunk.length;
    }
    header.writeUInt32LE(entry.checksum, 14); // known only now
    await this.#write(header, entry.header);
    this.#entries.push(entry);
  }

  /** Writes the directory; the archive is complete. */
  async finish(): Promise<void> {
    const begin = this.#at;
    for (const entry of this.#entries) await this.#append(directoryHeader(entry));
    const size = this.#at - begin;
    const count = this.#entries.length;
    if (begin + size >= in64Bits || count >= 0xffff) {
      const record = this.#at;
      await this.#append(
        bytes(
          [4, 0x06064b50],
          [8, 44],
          [2, version],
          [2, version],
          [4, 0],
          [4, 0],
          [8, count],
          [8, count],
          [8, size],
          [8, begin],
        ),
      );
      await this.#append(bytes([4, 0x07064b50], [4, 0], [8, record], [4, 1]));
    }
    const small = Math.min(count, 0xffff);
    await this.#append(
      bytes(
        [4, 0x06054b50],
        [2, 0],
        [2, 0],
        [2, small],
        [2, small],
        [4, Math.min(size, in64Bits)],
        [4, Math.min(begin, in64Bits)],
        [2, 0],
      ),
    );
  }

  #localHeader({ name, size, header }: WrittenEntry): Buffer {
    const large = size >= in64Bits;
    const sizes = large ? bytes([2, 1], [2, 16], [8, size], [8, size]) : Buffer.alloc(0);
    const length = 30 + name.length + sizes.length + 4;
    const padding = (alignment - ((header + length) % alignment)) % alignment;
    const small = Math.min(size, in64Bits);
    return Buffer.concat([
      bytes(
        [4, 0x04034b50],
        [2, version],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, date],
        [4, 0],
        [4, small],
        [4, small],
        [2, name.length],
        [2, sizes.length + 4 + padding],
      ),
      name,
      sizes,
      bytes([2, paddingField], [2, padding]),
      Buffer.alloc(padding),
    ]);
  }

  async #append(data: Buffer): Promise<void> {
    await this.#write(data, this.#at);
    this.#at += data.length;
  }

  async #write(data: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < data.length;) {
      done += (await this.#handle.write(data, done, data.length - done, at + done)).bytesWritten;
    }
  }
}

function directoryHeader({ name, header, size, checksum }: WrittenEntry): Buffer {
  const fields: [number, number][] = [];
  if (size >= in64Bits) fields.push([8, size], [8, size]);
  if (header >= in64Bits) fields.push([8, header]);
  const extra = fields.length === 0 ? Buffer.alloc(0) : bytes([2, 1], [2, 8 * fields.length], ...fields);
  const small = Math.min(size, in64Bits);
  return Buffer.concat([
    bytes(
      [4, 0x02014b50],
      [2, version],
      [2, version],
      [2, 0],
      [2, 0],
      [2, 0],
      [2, date],
      [4, checksum],
      [4, small],
      [4, small],
    ),
    bytes(
      [2, name.length],
      [2, extra.length],
      [2, 0],
      [2, 0],
      [2, 0],
      [4, 0],
      [4, Math.min(header, in64Bits)],
    ),
    name,
    extra,
  ]);
}

/** Numbers of the given widths in bytes, the lowest byte first. */
function bytes(...fields: readonly (readonly [width: number, value: number])[]): Buffer {
  const buffer = Buffer.alloc(fields.reduce((sum, [width]) => sum + width, 0));
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 8) buffer.writeBigUInt64LE(BigInt(value), at);
    else buffer.writeUIntLE(value, at, width);
    at += width;
  }
  return buffer;
}
