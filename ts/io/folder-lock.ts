import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { GlmError } from '../errors.js';
import { ioError } from '../files.js';

/** Holds a folder for one process at a time. A lock whose process is gone is taken over. */
export class FolderLock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /** @throws GlmError GLM_LOCKED, GLM_IO */
  static async take(folder: string): Promise<FolderLock> {
    const file = path.join(folder, 'lock');
    const mine = await ownName();
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        await mkdir(folder, { recursive: true });
        await createWhole(file, mine);
        return new FolderLock(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw ioError(`cannot lock ${folder}`, error);
      }
      const holder = await readFile(file, 'utf8').catch(() => undefined);
      if (holder === undefined) continue;
      if (await isAlive(holder)) {
        throw new GlmError(
          'GLM_LOCKED',
          `expected to work on ${folder} alone, found it in use by process ${holder.split(' ')[0]}; wait for that one, or ` +
            `choose another folder`,
        );
      }
      await discard(file, holder);
    }
    throw new GlmError('GLM_LOCKED', `expected to lock ${folder}, but other processes kept taking the lock`);
  }

  /** Does not throw: a lock that stays is taken over once this process has ended. */
  async release(): Promise<void> {
    await rm(this.#file, { force: true }).catch(() => undefined);
  }
}

/** Makes a file with its contents in one go, unless there is one: a full disk or a kill leaves no empty lock. */
async function createWhole(file: string, contents: string): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(temporary, contents, { flag: 'wx' });
    await link(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Removes a lock of a process that is gone, unless someone else has replaced it by now. */
async function discard(file: string, holder: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    await rename(file, aside);
    if ((await readFile(aside, 'utf8')) !== holder) await link(aside, file);
  } catch {
    // Someone else was faster.
  }
  await rm(aside, { force: true });
}

/** The process, and where the system tells it when it was started: process numbers are used again. */
async function ownName(): Promise<string> {
  return `${process.pid} ${await startOf(process.pid)}`;
}

async function isAlive(holder: string): Promise<boolean> {
  const [pid = '', started = ''] = holder.split(' ');
  // Taken, but not yet written down: whoever took it is alive.
  if (!/^\d+$/.test(pid)) return true;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return (await startOf(Number(pid))) === started;
}

/** When a process was started, in the system's own terms; empty where it doesn't say. */
async function startOf(pid: number): Promise<string> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    // The second field, the program's name, is in parentheses and may hold spaces. The start is the 22nd.
    return `${status.slice(status.lastIndexOf(')') + 2).split(' ')[19]}@${boot}`;
  } catch {
    return '';
  }
}
