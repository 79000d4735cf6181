import { type FileHandle, open } from 'node:fs/promises';

import { GlmError } from '../errors.js';
import { ioError } from '../files.js';

/** A file that is read piece by piece, with the errors that people see. */
export class InputFile {
  readonly path: string;
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  /** Throws `GLM_IO`. */
  static async open(path: string): Promise<InputFile> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (cause) {
      throw ioError(`cannot open ${path}`, cause);
    }
    try {
      const status = await handle.stat();
      if (!status.isFile()) {
        throw new GlmError(
          'GLM_IO',
          `expected ${path} to be a file, found a folder or a device; name a file`,
        );
      }
      return new InputFile(path, status.size, handle);
    } catch (error) {
      await handle.close();
      throw error instanceof GlmError ? error : ioError(`cannot open ${path}`, error);
    }
  }

  /** For the native core, which reads and maps files itself. Valid until `close`. */
  get descriptor(): number {
    return this.#handle.fd;
  }

  /** `length` bytes from `begin` on. Throws `GLM_CORRUPT_FILE` where the file is shorter, before memory is taken. */
  async read(begin: number, length: number): Promise<Buffer<ArrayBuffer>> {
    if (!(begin >= 0 && length >= 0 && begin + length <= this.size)) {
      throw corrupt(this.path, `expected ${length} bytes at ${begin}, found a file of ${this.size} bytes`);
    }
    const bytes = Buffer.from(new ArrayBuffer(length));
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.#handle
        .read(bytes, done, Math.min(length - done, 2 ** 30), begin + done)
        .catch((cause: unknown) => {
          throw ioError(`cannot read ${this.path}`, cause);
        });
      if (bytesRead === 0) {
        throw corrupt(
          this.path,
          `expected ${length} bytes at ${begin}, found the end of the file after ${done}`,
        );
      }
      done += bytesRead;
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

export function corrupt(file: string, message: string): GlmError {
  return new GlmError('GLM_CORRUPT_FILE', `${file}: ${message}; get the file again from where it came from`);
}
