import { read } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { GlmError } from '../errors.js';
import { ioError } from '../files.js';

/** @throws GlmError GLM_IO */
export async function openForReading(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    throw ioError(`cannot read ${file}`, error);
  }
}

/** Fills `bytes` from a place in the file. @throws GlmError GLM_IO, GLM_CORRUPT_FILE */
export async function readExactly(
  file: string,
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let filled = 0; filled < bytes.length;) {
    let bytesRead: number;
    try {
      bytesRead = await readSome(handle, bytes, filled, position + filled);
    } catch (error) {
      throw ioError(`cannot read ${file}`, error);
    }
    if (bytesRead === 0) {
      throw new GlmError(
        'GLM_CORRUPT_FILE',
        `expected ${file} to have ${position + bytes.length} bytes or more, found ${(await handle.stat()).size}; if this is a ` +
          `tokenized corpus, delete its folder and open the text files again; otherwise fetch the file again`,
      );
    }
    filled += bytesRead;
  }
}

/** FileHandle.read takes half as long again for the few bytes of a document, most of it on the JavaScript thread. */
function readSome(handle: FileHandle, bytes: Uint8Array, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(handle.fd, bytes, offset, bytes.length - offset, position, (error, bytesRead) => {
      if (error === null) resolve(bytesRead);
      else reject(error);
    });
  });
}
