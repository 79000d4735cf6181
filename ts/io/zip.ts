/**
 * Zip archives as PyTorch writes them: entries stored as they are, with 64-bit sizes where need be. Sizes and places are
 * checked against the file before they are used; compressed or encrypted entries are refused, so that an archive never
 * unfolds to more than its size. Source: APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3.
 */

import { corrupt, type InputFile } from './input-file.js';

/** The bytes of an entry in the archive. */
export interface ZipRange {
  begin: number;
  size: number;
}

interface DirectoryEntry {
  size: number;
  header: number;
}

const endRecord = { signature: 0x06054b50, bytes: 22 };
const end64Locator = { signature: 0x07064b50, bytes: 20 };
const end64Record = { signature: 0x06064b50, bytes: 56 };
const directoryHeader = { signature: 0x02014b50, bytes: 46 };
const localHeader = { signature: 0x04034b50, bytes: 30 };

const longestComment = 65535;
const largestDirectory = 16 * 2 ** 20;
const encrypted = 1;
const in64Bits = 0xffffffff;

export class ZipFile {
  readonly names: readonly string[];
  readonly #file: InputFile;
  readonly #entries: ReadonlyMap<string, DirectoryEntry>;
  readonly #directoryBegin: number;

  private constructor(file: InputFile, entries: Map<string, DirectoryEntry>, directoryBegin: number) {
    this.#file = file;
    this.#entries = entries;
    this.#directoryBegin = directoryBegin;
    this.names = [...entries.keys()];
  }

  /** Reads the archive's directory. Throws `GLM_IO`, `GLM_CORRUPT_FILE`. */
  static async open(file: InputFile): Promise<ZipFile> {
    const { begin, size, count } = await findDirectory(file);
    if (size > largestDirectory || begin + size > file.size) {
      throw corrupt(
        file.path,
        `expected the archive's directory inside the file and below ${largestDirectory} bytes, found ${size} bytes at ${begin}`,
      );
    }
    return new ZipFile(file, readDirectory(file, await file.read(begin, size), count), begin);
  }

  /** Where the bytes of an entry lie. Throws `GLM_IO`, `GLM_CORRUPT_FILE`. */
  async locate(name: string): Promise<ZipRange> {
    const entry = this.#entries.get(name);
    if (entry === undefined)
      throw corrupt(this.#file.path, `expected the archive to hold ${name}, found none`);
    const head = await this.#file.read(entry.header, localHeader.bytes);
    const nameLength = head.readUInt16LE(26);
    const begin = entry.header + localHeader.bytes + nameLength + head.readUInt16LE(28);
    if (head.readUInt32LE(0) !== localHeader.signature || begin + entry.size > this.#directoryBegin) {
      throw corrupt(
        this.#file.path,
        `expected the entry ${name} of ${entry.size} bytes at ${entry.header}, found something else`,
      );
    }
    checkStored(this.#file.path, name, head.readUInt16LE(6), head.readUInt16LE(8));
    const found = (await this.#file.read(entry.header + localHeader.bytes, nameLength)).toString('utf8');
    if (found !== name)
      throw corrupt(this.#file.path, `expected the entry ${name} at ${entry.header}, found ${found}`);
    return { begin, size: entry.size };
  }

  async read(name: string): Promise<Buffer<ArrayBuffer>> {
    const { begin, size } = await this.locate(name);
    return this.#file.read(begin, size);
  }
}

async function findDirectory(file: InputFile): Promise<{ begin: number; size: number; count: number }> {
  const tail = await file.read(
    Math.max(0, file.size - endRecord.bytes - longestComment - end64Locator.bytes),
    Math.min(file.size, endRecord.bytes + longestComment + end64Locator.bytes),
  );
  let at = tail.length - endRecord.bytes;
  while (at >= 0 && !isEndRecord(tail, at)) at--;
  if (at < 0) throw corrupt(file.path, 'expected the end of a zip archive, found none');
  const small = {
    count: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    begin: tail.readUInt32LE(at + 16),
  };
  const locator = at - end64Locator.bytes;
  if (locator < 0 || tail.readUInt32LE(locator) !== end64Locator.signature) return small;
  const record = await file.read(readSize(file, tail, locator + 8), end64Record.bytes);
  if (record.readUInt32LE(0) !== end64Record.signature)
    throw corrupt(file.path, 'expected the end of a 64-bit zip archive, found something else');
  return {
    count: readSize(file, record, 32),
    size: readSize(file, record, 40),
    begin: readSize(file, record, 48),
  };
}

/** Whether the record that begins here ends with the file. */
function isEndRecord(tail: Buffer, at: number): boolean {
  return (
    tail.readUInt32LE(at) === endRecord.signature &&
    at + endRecord.bytes + tail.readUInt16LE(at + 20) === tail.length
  );
}

function readDirectory(file: InputFile, directory: Buffer, count: number): Map<string, DirectoryEntry> {
  const entries = new Map<string, DirectoryEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const rest = directory.subarray(at);
    if (rest.length < directoryHeader.bytes || rest.readUInt32LE(0) !== directoryHeader.signature) {
      throw corrupt(file.path, `expected ${count} entries in the archive's directory, found ${i}`);
    }
    const [nameLength, extraLength] = [rest.readUInt16LE(28), rest.readUInt16LE(30)];
    const bytes = directoryHeader.bytes + nameLength + extraLength + rest.readUInt16LE(32);
    if (bytes > rest.length)
      throw corrupt(file.path, `expected entry ${i} inside the archive's directory, found it longer`);
    const extraBegin = directoryHeader.bytes + nameLength;
    const name = rest.toString('utf8', directoryHeader.bytes, extraBegin);
    const sizes = readSizes(file, name, rest, rest.subarray(extraBegin, extraBegin + extraLength));
    checkStored(file.path, name, rest.readUInt16LE(8), rest.readUInt16LE(10));
    if (sizes.packed !== sizes.size || entries.has(name)) {
      throw corrupt(
        file.path,
        `expected the entry ${name} once and stored as it is, found it again or of another size`,
      );
    }
    entries.set(name, { size: sizes.size, header: sizes.header });
    at += bytes;
  }
  return entries;
}

/** An entry's sizes and place; those that don't fit 32 bits are in an extra field, in this order. */
function readSizes(file: InputFile, name: string, header: Buffer, extra: Buffer) {
  const sizes = {
    size: header.readUInt32LE(24),
    packed: header.readUInt32LE(20),
    header: header.readUInt32LE(42),
  };
  let fields: Buffer = Buffer.alloc(0);
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === 1) fields = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  }
  for (const key of ['size', 'packed', 'header'] as const) {
    if (sizes[key] !== in64Bits) continue;
    if (fields.length < 8) throw corrupt(file.path, `expected the 64-bit sizes of ${name}, found none`);
    sizes[key] = readSize(file, fields, 0);
    fields = fields.subarray(8);
  }
  return sizes;
}

function readSize(file: InputFile, bytes: Buffer, at: number): number {
  const size = bytes.readBigUInt64LE(at);
  if (size > BigInt(file.size))
    throw corrupt(file.path, `expected a size or place inside the file, found ${size}`);
  return Number(size);
}

function checkStored(file: string, name: string, flags: number, method: number): void {
  if ((flags & encrypted) !== 0 || method !== 0) {
    throw corrupt(
      file,
      `expected the entry ${name} to be stored as PyTorch does, found it compressed or encrypted`,
    );
  }
}
