import type { FileHandle } from 'node:fs/promises';
import { openForReading, readExactly } from '../../io/positional-read.js';

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

  /** @throws GlmError GLM_IO, GLM_CORRUPT_FILE where the file is shorter than that */
  static async open(file: string, bytesPerToken: 2 | 4, tokens: number): Promise<TokenFile> {
    const handle = await openForReading(file);
    const opened = new TokenFile(file, handle, bytesPerToken);
    try {
      await opened.read(tokens - 1, 1);
      return opened;
    } catch (error) {
      await handle.close();
      throw error;
    }
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
