/**
 * The safetensors format: 8 bytes with the header's length (little-endian), a JSON header with each tensor's type,
 * shape and byte range, then the bytes. Nothing in a file is trusted before it has been checked.
 * Source: https://github.com/huggingface/safetensors#format
 */

import { type FileHandle, open } from 'node:fs/promises';

import { GlmError } from '../errors.js';
import { elementCount } from '../shape.js';
import { ioError, writeFileAtomically } from '../files.js';

const elementBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsType = keyof typeof elementBytes;

export interface TensorEntry {
  name: string;
  type: SafetensorsType;
  shape: number[];
  /** Bytes from the start of the file. */
  begin: number;
  end: number;
}

const longestHeader = 100 * 2 ** 20;

/** An open safetensors file. */
export class SafetensorsFile {
  readonly file: string;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  private readonly handle: FileHandle;

  private constructor(file: string, handle: FileHandle, header: Header) {
    this.file = file;
    this.handle = handle;
    this.entries = header.entries;
    this.metadata = header.metadata;
  }

  /** Opens a file and checks its header. Throws `GLM_IO`, `GLM_CORRUPT_FILE`. */
  static async open(file: string): Promise<SafetensorsFile> {
    let handle: FileHandle;
    try {
      handle = await open(file, 'r');
    } catch (cause) {
      throw ioError(`cannot open ${file}`, cause);
    }
    try {
      return new SafetensorsFile(file, handle, await readHeader(file, handle));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The bytes of a tensor. */
  async read(entry: TensorEntry): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(entry.end - entry.begin);
    await readFully(this.file, this.handle, bytes, entry.begin);
    return bytes;
  }

  /** The elements of a tensor as float32. F64, F16 and BF16 are converted. Throws `GLM_CORRUPT_FILE` for other types. */
  async readFloats(entry: TensorEntry): Promise<Float32Array<ArrayBuffer>> {
    const { buffer } = await this.read(entry);
    switch (entry.type) {
      case 'F32':
        return new Float32Array(buffer);
      case 'F64':
        return Float32Array.from(new Float64Array(buffer));
      case 'BF16':
        return floatsFromBfloat16(new Uint16Array(buffer));
      case 'F16':
        return floatsFromFloat16(new Uint16Array(buffer));
      default:
        throw corrupt(
          this.file,
          `expected tensor ${entry.name} to hold floating-point numbers, found ${entry.type}`,
        );
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** A tensor to be written; `bytes` is asked for when its turn comes, so that one is in memory at a time. */
export interface TensorToWrite {
  name: string;
  type: SafetensorsType;
  shape: readonly number[];
  bytes: () => Uint8Array | Promise<Uint8Array>;
}

/** Writes a safetensors file atomically. Throws `GLM_IO`. */
export async function writeSafetensors(
  file: string,
  tensors: readonly TensorToWrite[],
  metadata: Record<string, string> = {},
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt', ...metadata } };
  let offset = 0;
  for (const { name, type, shape } of tensors) {
    const bytes = elementCount(shape) * elementBytes[type];
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' '); // tensors start at a multiple of 8
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));

  await writeFileAtomically(file, async (handle) => {
    await handle.writeFile(Buffer.concat([length, padded]));
    for (const tensor of tensors) await handle.writeFile(await tensor.bytes());
  });
}

// ---- reading the header ------------------------------------------------------------------------------------------

interface Header {
  entries: Map<string, TensorEntry>;
  metadata: Record<string, string>;
}

function corrupt(file: string, message: string): GlmError {
  return new GlmError('GLM_CORRUPT_FILE', `${file}: ${message}; get the file again from where it came from`);
}

async function readFully(
  file: string,
  handle: FileHandle,
  into: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await handle
      .read(into, done, Math.min(into.length - done, 2 ** 30), position + done)
      .catch((cause: unknown) => {
        throw ioError(`cannot read ${file}`, cause);
      });
    if (bytesRead === 0) {
      throw corrupt(
        file,
        `expected ${into.length} bytes at ${position}, found the end of the file after ${done}`,
      );
    }
    done += bytesRead;
  }
}

async function readHeader(file: string, handle: FileHandle): Promise<Header> {
  const { size } = await handle.stat();
  const prefix = Buffer.alloc(8);
  if (size < 8) throw corrupt(file, `expected a safetensors file of at least 8 bytes, found ${size}`);
  await readFully(file, handle, prefix, 0);
  const length = prefix.readBigUInt64LE();
  if (length > BigInt(Math.min(longestHeader, size - 8))) {
    throw corrupt(
      file,
      `expected a header that fits the file (${size} bytes), found a length of ${length} bytes`,
    );
  }
  const json = Buffer.alloc(Number(length));
  await readFully(file, handle, json, 8);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw corrupt(file, 'expected a header of JSON, found something else');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw corrupt(file, 'expected the header to be a JSON object');
  }
  return checkHeader(file, parsed as Record<string, unknown>, 8 + Number(length), size);
}

function checkHeader(
  file: string,
  parsed: Record<string, unknown>,
  dataBegin: number,
  fileSize: number,
): Header {
  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = value as Record<string, string>;
    else entries.set(name, checkEntry(file, name, value, dataBegin, fileSize));
  }
  const ordered = [...entries.values()].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = dataBegin;
  for (const entry of ordered) {
    if (entry.begin !== end)
      throw corrupt(file, `expected tensor ${entry.name} to start at byte ${end}, found ${entry.begin}`);
    end = entry.end;
  }
  if (end !== fileSize) throw corrupt(file, `expected ${end} bytes, found ${fileSize}`);
  return { entries, metadata };
}

function checkEntry(
  file: string,
  name: string,
  value: unknown,
  dataBegin: number,
  fileSize: number,
): TensorEntry {
  const isSize = (x: unknown): x is number => typeof x === 'number' && Number.isSafeInteger(x) && x >= 0;
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) {
    throw corrupt(file, `expected tensor ${name} to have a known type, found ${JSON.stringify(dtype)}`);
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw corrupt(file, `expected tensor ${name} to have a shape, found ${JSON.stringify(shape)}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw corrupt(file, `expected tensor ${name} to have a byte range, found ${JSON.stringify(offsets)}`);
  }
  const type = dtype as SafetensorsType;
  const [begin, end] = [dataBegin + (offsets[0] as number), dataBegin + (offsets[1] as number)];
  const bytes = elementCount(shape) * elementBytes[type];
  if (end - begin !== bytes || end > fileSize) {
    throw corrupt(
      file,
      `expected tensor ${name} to take ${bytes} bytes of the file, found the range ${begin} to ${end}`,
    );
  }
  return { name, type, shape, begin, end };
}

// ---- half precision ----------------------------------------------------------------------------------------------

function floatsFromBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] as number) << 16;
  return new Float32Array(words.buffer);
}

function floatsFromFloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] as number;
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Infinity
            : NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    floats[i] = half & 0x8000 ? -size : size;
  }
  return floats;
}
