import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { GlmError } from '../errors.js';

/** A `GLM_IO` error that names the file and what to look at. */
export function ioError(action: string, file: string, cause: unknown): GlmError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new GlmError('GLM_IO', `could not ${action} ${file}: ${reason}; check the path, its permissions and the free space`, {
    cause,
  });
}

/**
 * Writes a file so that there is never half of one: beside its name, synced, and renamed into place.
 * `write` gets the open file. Throws `GLM_IO`, and leaves what was there before.
 */
export async function writeFileAtomically(
  file: string,
  content: string | Uint8Array | ((handle: FileHandle) => Promise<void>),
): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w');
    try {
      if (typeof content === 'function') await content(handle);
      else await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncDirectory(path.dirname(file));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cause instanceof GlmError ? cause : ioError('write', file, cause);
  }
}

/** Makes a rename in the directory last. Not every system can sync a directory; there it is left to the system. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    return;
  }
}
