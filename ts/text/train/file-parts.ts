import { isUtf8 } from 'node:buffer';
import { type FileHandle, open } from 'node:fs/promises';
import { GlmError } from '../../errors.js';
import { ioError } from '../../files.js';

/** A stretch of a text file, in bytes. */
export interface FilePart {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

const partSize = 4 << 20;
const searchSize = 64 << 10;
const [lineFeed, space] = [0x0a, 0x20];

/**
 * Cuts files into parts of about 4 MiB that threads can work on, at ends of lines if there are any. The cuts
 * depend on the files alone.
 */
export async function fileParts(files: readonly string[]): Promise<FilePart[]> {
  const parts: FilePart[] = [];
  for (const file of files) {
    await withFile(file, async (handle) => {
      const stat = await handle.stat();
      if (stat.isDirectory())
        throw new GlmError('GLM_IO', `cannot read ${file}: it is a folder; name the text files in it`);
      for (let start = 0; start < stat.size;) {
        const end = await cutAfter(handle, start + partSize, stat.size);
        parts.push({ file, start, end });
        start = end;
      }
    });
  }
  return parts;
}

/**
 * Reads a part as text.
 * @throws GlmError GLM_DATA, with file and line, if it is not UTF-8
 */
export async function readPart({ file, start, end }: FilePart): Promise<string> {
  return withFile(file, async (handle) => {
    const bytes = Buffer.alloc(end - start);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
    const read = bytes.subarray(0, bytesRead);
    if (isUtf8(read)) return withoutByteOrderMark(read.toString('utf8'));
    const line = (await countLines(handle, start)) + firstLineNotUtf8(read);
    throw new GlmError(
      'GLM_DATA',
      `${file}:${line}: expected UTF-8 text, found bytes that are not; ` +
        `convert the file to UTF-8 (for instance with iconv)`,
    );
  });
}

/**
 * The first place from `from` on where words do not go on: after a line, after a space, or else between two
 * characters.
 */
async function cutAfter(handle: FileHandle, from: number, size: number): Promise<number> {
  if (from >= size) return size;
  const window = Buffer.alloc(searchSize);
  const { bytesRead } = await handle.read(window, 0, searchSize, from);
  const found = window.subarray(0, bytesRead);
  for (const end of [lineFeed, space]) {
    const at = found.indexOf(end);
    if (at >= 0) return from + at + 1;
  }
  const continuation = found.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return from + Math.max(continuation, 0);
}

function firstLineNotUtf8(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; ; line++) {
    const end = bytes.indexOf(lineFeed, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
  }
}

async function countLines(handle: FileHandle, end: number): Promise<number> {
  const block = Buffer.alloc(partSize);
  let lines = 0;
  for (let at = 0; at < end; at += block.length) {
    const { bytesRead } = await handle.read(block, 0, Math.min(block.length, end - at), at);
    for (let i = block.indexOf(lineFeed); i >= 0 && i < bytesRead; i = block.indexOf(lineFeed, i + 1))
      lines++;
  }
  return lines;
}

function withoutByteOrderMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

async function withFile<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    const handle = await open(file);
    try {
      return await use(handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof GlmError ? error : ioError(`cannot read ${file}`, error);
  }
}
