import { createReadStream, type ReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { GlmError } from '../../errors.js';
import { ioError } from '../../files.js';
import type { Source } from './sources.js';

const chunkBytes = 1 << 18;

/** The bytes of a file, unpacked, in order from any place on. */
export interface ByteStream {
  /** Whether `seek` forward costs nothing; otherwise it reads all that lies between. */
  readonly seekable: boolean;
  /** How far the file on disk has been read. */
  readonly consumed: number;
  seek(position: number): Promise<void>;
  /** The next bytes, or undefined at the end. They hold until the next call. @throws GlmError GLM_IO, GLM_DATA */
  next(): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

export async function openBytes(source: Source): Promise<ByteStream> {
  return source.gzip ? new GzipBytes(source) : PlainBytes.open(source);
}

class PlainBytes implements ByteStream {
  readonly seekable = true;
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #chunk = Buffer.allocUnsafeSlow(chunkBytes);
  #position = 0;

  private constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  static async open({ file }: Source): Promise<PlainBytes> {
    try {
      return new PlainBytes(file, await open(file, 'r'));
    } catch (error) {
      throw ioError(`cannot read ${file}`, error);
    }
  }

  get consumed(): number {
    return this.#position;
  }

  async seek(position: number): Promise<void> {
    this.#position = position;
  }

  async next(): Promise<Buffer | undefined> {
    try {
      const { bytesRead } = await this.#handle.read(this.#chunk, 0, chunkBytes, this.#position);
      this.#position += bytesRead;
      return bytesRead === 0 ? undefined : this.#chunk.subarray(0, bytesRead);
    } catch (error) {
      throw ioError(`cannot read ${this.#file}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

class GzipBytes implements ByteStream {
  readonly seekable = false;
  readonly #file: string;
  #input: ReadStream | undefined;
  #chunks: AsyncIterator<Buffer> | undefined;
  #position = 0;
  #ahead: Buffer | undefined;

  constructor({ file }: Source) {
    this.#file = file;
  }

  get consumed(): number {
    return this.#input?.bytesRead ?? 0;
  }

  async seek(position: number): Promise<void> {
    if (position < this.#position) await this.close();
    while (this.#position < position) {
      const chunk = await this.next();
      if (chunk === undefined) return;
      if (this.#position > position) {
        this.#ahead = chunk.subarray(chunk.length - (this.#position - position));
        this.#position = position;
      }
    }
  }

  async next(): Promise<Buffer | undefined> {
    let chunk = this.#ahead;
    this.#ahead = undefined;
    if (chunk === undefined) {
      this.#chunks ??= this.#start();
      try {
        const result = await this.#chunks.next();
        if (result.done !== true) chunk = result.value;
      } catch (error) {
        throw this.#failure(error);
      }
    }
    this.#position += chunk?.length ?? 0;
    return chunk;
  }

  #start(): AsyncIterator<Buffer> {
    const input = (this.#input = createReadStream(this.#file, { highWaterMark: chunkBytes }));
    const unpack = createGunzip({ chunkSize: chunkBytes });
    input.on('error', (error) => unpack.destroy(error));
    return input.pipe(unpack)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  #failure(error: unknown): GlmError {
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') !== true) return ioError(`cannot read ${this.#file}`, error);
    return new GlmError(
      'GLM_DATA',
      `${this.#file}: expected gzip data, found what cannot be unpacked behind byte ${this.#position} of the text ` +
        `(${(error as Error).message}); fetch or pack the file again`,
      { cause: error },
    );
  }

  async close(): Promise<void> {
    await this.#chunks?.return?.();
    this.#input?.destroy();
    this.#chunks = this.#input = this.#ahead = undefined;
    this.#position = 0;
  }
}
