import type { FileHandle } from 'node:fs/promises';
import { openForReading, readExactly } from './positional-read.js';

/** `tokens.bin`, read in place. */
export class TokenFile {
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #bytesPerToken: 2 | 4;

  private constructor(file: string, handle: FileHandle, bytesPerToken: 2 | 4) {
    this.#file = file;
    this.#handle = handle;
    this.#bytesPerToken = bytesPerToken;
  }

  static async open(file: string, bytesPerToken: 2 | 4): Promise<TokenFile> {
    return new TokenFile(file, await openForReading(file), bytesPerToken);
  }

  /** @throws GlmError GLM_IO, GLM_CORRUPT_FILE */
  async read(begin: number, count: number): Promise<Int32Array> {
    const bytes = new Uint8Array(count * this.#bytesPerToken);
    await readExactly(this.#file, this.#handle, bytes, begin * this.#bytesPerToken);
    if (this.#bytesPerToken === 4) return new Int32Array(bytes.buffer);
    return Int32Array.from(new Uint16Array(bytes.buffer));
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
