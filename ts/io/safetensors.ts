/**
 * The safetensors format: 8 bytes with the header's length (little-endian), a JSON header with each tensor's type,
 * shape and byte range, then the bytes. Nothing in a file is trusted before it has been checked.
 * Source: https://github.com/huggingface/safetensors#format
 */

import { elementCount } from '../shape.js';
import { writeFileAtomically } from '../files.js';
import { elementBytes, type ElementType } from './element-type.js';
import { type FileArray, rowMajor } from './file-array.js';
import { corrupt, InputFile } from './input-file.js';

/** A tensor of a file. */
export interface TensorEntry extends FileArray {
  name: string;
  /** Behind its last byte. */
  end: number;
}

/** The format allows more. A tensor takes about a hundred bytes; hostile JSON of this length takes 50 MB to parse. */
const longestHeader = 2 ** 20;

/** An open safetensors file. */
export class SafetensorsFile {
  readonly file: InputFile;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, unknown>>;

  private constructor(file: InputFile, header: Header) {
    this.file = file;
    this.entries = header.entries;
    this.metadata = header.metadata;
  }

  /** Opens a file and checks its header. Throws `GLM_IO`, `GLM_CORRUPT_FILE`. */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await InputFile.open(path);
    try {
      return await SafetensorsFile.of(file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Checks the header of an open file. Throws `GLM_IO`, `GLM_CORRUPT_FILE`. */
  static async of(file: InputFile): Promise<SafetensorsFile> {
    return new SafetensorsFile(file, await readHeader(file));
  }

  /** The bytes of a tensor. */
  read({ begin, end }: TensorEntry): Promise<Buffer<ArrayBuffer>> {
    return this.file.read(begin, end - begin);
  }

  /** The elements of a float32 tensor. Throws `GLM_CORRUPT_FILE` for other types. */
  async readFloats(entry: TensorEntry): Promise<Float32Array<ArrayBuffer>> {
    if (entry.type !== 'F32') {
      throw corrupt(this.file.path, `expected tensor ${entry.name} to hold F32, found ${entry.type}`);
    }
    return new Float32Array((await this.read(entry)).buffer);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** A tensor to be written; `bytes` is asked for when its turn comes, so that one is in memory at a time. */
export interface TensorToWrite {
  name: string;
  type: ElementType;
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
  metadata: Record<string, unknown>;
}

async function readHeader(file: InputFile): Promise<Header> {
  const { path, size } = file;
  if (size < 8) throw corrupt(path, `expected a safetensors file of at least 8 bytes, found ${size}`);
  const length = (await file.read(0, 8)).readBigUInt64LE();
  if (length > BigInt(Math.min(longestHeader, size - 8))) {
    throw corrupt(
      path,
      `expected a header that fits the file (${size} bytes), found a length of ${length} bytes`,
    );
  }
  const json = await file.read(8, Number(length));
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw corrupt(path, 'expected a header of JSON, found something else');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw corrupt(path, 'expected the header to be a JSON object');
  }
  return checkHeader(file, parsed as Record<string, unknown>, 8 + Number(length));
}

function checkHeader(file: InputFile, parsed: Record<string, unknown>, dataBegin: number): Header {
  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = (value ?? {}) as Record<string, unknown>;
    else entries.set(name, checkEntry(file, name, value, dataBegin));
  }
  const ordered = [...entries.values()].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = dataBegin;
  for (const entry of ordered) {
    if (entry.begin !== end)
      throw corrupt(file.path, `expected tensor ${entry.name} to start at byte ${end}, found ${entry.begin}`);
    end = entry.end;
  }
  if (end !== file.size) throw corrupt(file.path, `expected ${end} bytes, found ${file.size}`);
  return { entries, metadata };
}

function checkEntry(file: InputFile, name: string, value: unknown, dataBegin: number): TensorEntry {
  const isSize = (x: unknown): x is number => typeof x === 'number' && Number.isSafeInteger(x) && x >= 0;
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) {
    throw corrupt(
      file.path,
      `expected tensor ${name} to have a known type, found ${JSON.stringify(dtype)?.slice(0, 100)}`,
    );
  }
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every(isSize)) {
    throw corrupt(
      file.path,
      `expected tensor ${name} to have a shape, found ${JSON.stringify(shape)?.slice(0, 100)}`,
    );
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw corrupt(
      file.path,
      `expected tensor ${name} to have a byte range, found ${JSON.stringify(offsets)?.slice(0, 100)}`,
    );
  }
  const type = dtype as ElementType;
  const [begin, end] = [dataBegin + (offsets[0] as number), dataBegin + (offsets[1] as number)];
  const bytes = elementCount(shape) * elementBytes[type];
  if (end - begin !== bytes || end > file.size) {
    throw corrupt(
      file.path,
      `expected tensor ${name} to take ${bytes} bytes of the file, found the range ${begin} to ${end}`,
    );
  }
  return { name, file, type, shape, strides: rowMajor(shape), begin, end };
}
