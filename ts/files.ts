import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { GlmError } from './errors.js';

/**
 * Writes a whole file or nothing: into a new file beside it, synced, then renamed into place. Creates the
 * folder if need be.
 * @param data the contents, or a function that writes them to the open file
 * @throws GlmError GLM_IO
 */
export async function writeFileAtomically(
  file: string,
  data: string | Uint8Array | ((handle: FileHandle) => Promise<void>),
): Promise<void> {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(temporary, 'wx');
    try {
      if (typeof data === 'function') await data(handle);
      else await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error instanceof GlmError ? error : ioError(`cannot write ${file}`, error);
  }
}

/** Makes a rename in the folder last. Not every system can sync a folder; there it is left to the system. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    return;
  }
}

/** A GlmError for a failed file operation: what was tried, what the system said. */
export function ioError(attempt: string, error: unknown): GlmError {
  const code = (error as NodeJS.ErrnoException).code;
  const advice = code === undefined ? undefined : adviceFor.get(code);
  const found = error instanceof Error ? error.message : String(error);
  return new GlmError('GLM_IO', `${attempt}: ${found}${advice === undefined ? '' : `; ${advice}`}`, {
    cause: error,
  });
}

const adviceFor = new Map([
  ['ENOENT', 'check the path'],
  ['ENOTDIR', 'check the path: a part of it is a file'],
  ['EISDIR', 'name a file, not a folder'],
  ['EACCES', 'check the permissions'],
  ['EPERM', 'check the permissions'],
  ['EROFS', 'the file system is read-only, choose another place'],
  ['ENOSPC', 'the disk is full, make room or choose another place'],
  ['EMFILE', 'too many files are open, raise the limit with ulimit -n'],
]);
