/**
 * The folder of a training run:
 *
 * - `checkpoints/step-00000100/`: a model folder with `trainer.json` (counters, settings, checksums of the other files) and
 *   `optimizer.safetensors`. It gets its name when it is complete; there is never a half one.
 * - the files of the newest checkpoint, linked into the folder itself, so that it is a model folder too
 * - `metrics.jsonl`: the events of the run, one per line
 * - `examples.json`: an example of each objective, as the first step of the run had it
 */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, link, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

import { GlmError } from '../errors.js';
import { ioError, syncFolder, writeFileAtomically } from '../files.js';
import type { GLM } from '../glm.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { DescribedExample } from './examples.js';
import type { Optimizer } from './optimizer.js';

/** Everything that a run needs to go on as if it had never stopped. */
export interface TrainerState {
  /** Steps done. */
  step: number;
  /** Steps of these that updated the weights. */
  updates: number;
  /** Micro-batches so far: the cursor of dropout. */
  draw: number;
  /** The options of the run that can be written down. */
  options: Record<string, unknown>;
  /** Where it ran: the bits depend on these. */
  device: { name: string; dtype: string; instructionSet: string; threads: number };
}

interface TrainerFile extends TrainerState {
  format: 1;
  /** SHA-256 of every other file of the checkpoint. */
  checksums: Record<string, string>;
}

const stateFile = 'trainer.json';
const optimizerFile = 'optimizer.safetensors';
/** Behind the name of a checkpoint while a new one of the same step takes its place. */
const replaced = '.replaced';

/** A whole checkpoint on disk. */
export interface Checkpoint {
  folder: string;
  state: TrainerState;
}

export class RunFolder {
  readonly path: string;

  constructor(folder: string) {
    this.path = folder;
  }

  get metrics(): string {
    return path.join(this.path, 'metrics.jsonl');
  }

  get examples(): string {
    return path.join(this.path, 'examples.json');
  }

  private get checkpoints(): string {
    return path.join(this.path, 'checkpoints');
  }

  private checkpointOf(step: number): string {
    return path.join(this.checkpoints, `step-${String(step).padStart(8, '0')}`);
  }

  /** Writes down what the run is fed, once. Throws `GLM_IO`. */
  async describeExamples(describe: () => DescribedExample[]): Promise<void> {
    if (existsSync(this.examples)) return;
    await writeFileAtomically(this.examples, `${JSON.stringify(describe())}\n`);
  }

  /** Writes a checkpoint, and removes the oldest until `keep` are left. Gives its folder. Throws `GLM_IO`. */
  async save(model: GLM, optimizer: Optimizer, state: TrainerState, keep: number): Promise<string> {
    const folder = this.checkpointOf(state.step);
    const unfinished = `${folder}.tmp`;
    try {
      await rm(unfinished, { recursive: true, force: true });
      await model.save(unfinished);
      await saveMoments(path.join(unfinished, optimizerFile), optimizer);
      const file: TrainerFile = { format: 1, ...state, checksums: await checksumsOf(unfinished) };
      await writeFileAtomically(path.join(unfinished, stateFile), `${JSON.stringify(file, null, 2)}\n`);
      if (existsSync(folder)) await this.setAside(folder);
      await rename(unfinished, folder);
      await syncFolder(this.checkpoints);
      await this.publish(folder);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true }).catch(() => undefined);
      throw error instanceof GlmError ? error : ioError(`cannot write the checkpoint ${folder}`, error);
    }
    await this.removeAllBut(keep, state.step);
    return folder;
  }

  /** A step that is saved again: the checkpoint that there is counts until the new one has its name. */
  private async setAside(folder: string): Promise<void> {
    await rm(`${folder}${replaced}`, { recursive: true, force: true });
    await rename(folder, `${folder}${replaced}`);
  }

  /** Keeps the newest checkpoints up to a step; those of later steps are of a past that a resumed run has left. */
  private async removeAllBut(keep: number, step: number): Promise<void> {
    const names = await this.names();
    const kept = names.filter((name) => stepOf(name) <= step && !name.endsWith(replaced)).slice(0, keep);
    for (const name of names.filter((name) => !kept.includes(name))) {
      await rm(path.join(this.checkpoints, name), { recursive: true, force: true }).catch(
        (error: unknown) => {
          throw ioError(`cannot remove the checkpoint ${name}`, error);
        },
      );
    }
  }

  /**
   * The newest checkpoint whose files are as they were written. A damaged one is passed over with a warning.
   * Throws `GLM_IO` if there is none, `GLM_CORRUPT_FILE` if all are damaged.
   */
  async newest(): Promise<Checkpoint> {
    const candidates = [...(await this.names()).map((name) => path.join(this.checkpoints, name)), this.path];
    let damage: GlmError | undefined;
    for (const folder of candidates) {
      try {
        const state = await readState(folder);
        if (state !== undefined) return { folder, state };
      } catch (error) {
        if (!(error instanceof GlmError) || error.code !== 'GLM_CORRUPT_FILE') throw error;
        damage ??= error;
        process.emitWarning(`${error.message}; trying the checkpoint before it`, { code: error.code });
      }
    }
    if (damage !== undefined) throw damage;
    throw new GlmError(
      'GLM_IO',
      `expected a training folder with a checkpoint, found none in ${this.path}; check the path, or start a new run`,
    );
  }

  async isEmpty(): Promise<boolean> {
    return (await this.names()).length === 0;
  }

  /** Finishes what a killed run left half done: the folder's own files and metrics become those of the checkpoint. */
  async restore(step: number): Promise<void> {
    const checkpoint = this.checkpointOf(step);
    if (existsSync(checkpoint)) await this.publish(checkpoint);
    await this.truncateMetrics(step);
  }

  /** Drops metrics of steps that the checkpoint does not know. */
  private async truncateMetrics(step: number): Promise<void> {
    const lines = (await readFile(this.metrics, 'utf8').catch(ifAbsent(''))).split('\n');
    const kept = lines.filter((line) => {
      const event = parse(line);
      if (event === undefined || event.type === 'done') return false;
      return event.type === 'step' || event.type === 'overflow' ? event.step < step : event.step <= step;
    });
    await writeFileAtomically(this.metrics, kept.map((line) => `${line}\n`).join(''));
  }

  /** Names of checkpoints, newest first. */
  private async names(): Promise<string[]> {
    const entries = await readdir(this.checkpoints).catch(ifAbsent<string[]>([]));
    return entries
      .filter((name) => /^step-\d+(\.replaced)?$/.test(name))
      .sort((a, b) => stepOf(b) - stepOf(a) || a.length - b.length);
  }

  /** Makes the files of a checkpoint those of the run's folder, one by one. */
  private async publish(folder: string): Promise<void> {
    for (const name of await readdir(folder)) {
      const [from, to] = [path.join(folder, name), path.join(this.path, name)];
      const temporary = `${to}.tmp`;
      await rm(temporary, { force: true });
      await link(from, temporary).catch(() => copyFile(from, temporary));
      await rename(temporary, to);
      await rm(temporary, { force: true }); // renaming a link to what it links to already does nothing
    }
    await syncFolder(this.path);
  }
}

function stepOf(name: string): number {
  return Number.parseInt(name.slice('step-'.length), 10);
}

/** For a `catch`: what to take where there is nothing. */
function ifAbsent<T>(otherwise: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return otherwise;
    throw ioError('cannot read the run', error);
  };
}

/** Loads the moments of a checkpoint into an optimizer. Throws `GLM_CORRUPT_FILE`, `GLM_IO`. */
export async function loadMoments(folder: string, optimizer: Optimizer): Promise<void> {
  const file = await SafetensorsFile.open(path.join(folder, optimizerFile));
  try {
    for (const name of optimizer.names()) {
      for (const [kind, tensor] of Object.entries(optimizer.moment(name))) {
        const entry = file.entries.get(`${kind}.${name}`);
        if (entry === undefined || entry.shape.join() !== tensor.shape.join()) {
          throw new GlmError(
            'GLM_CORRUPT_FILE',
            `${file.file.path}: expected ${kind}.${name} [${tensor.shape.join(', ')}], found ${entry === undefined ? 'none' : `[${entry.shape.join(', ')}]`}`,
          );
        }
        tensor.write(await file.readFloats(entry));
      }
    }
  } finally {
    await file.close();
  }
}

async function saveMoments(file: string, optimizer: Optimizer): Promise<void> {
  await writeSafetensors(
    file,
    optimizer.names().flatMap((name) =>
      Object.entries(optimizer.moment(name)).map(([kind, tensor]) => ({
        name: `${kind}.${name}`,
        type: 'F32' as const,
        shape: tensor.shape,
        bytes: async () => new Uint8Array((await tensor.read()).buffer as ArrayBuffer),
      })),
    ),
  );
}

async function checksumsOf(folder: string): Promise<Record<string, string>> {
  const checksums: Record<string, string> = {};
  for (const name of (await readdir(folder)).sort()) {
    if (name !== stateFile) checksums[name] = await checksum(path.join(folder, name));
  }
  return checksums;
}

async function checksum(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** The state of a checkpoint whose files are all as they were; undefined where there is no checkpoint. */
async function readState(folder: string): Promise<TrainerState | undefined> {
  const corrupt = (what: string) => new GlmError('GLM_CORRUPT_FILE', `${folder}: ${what}`);
  const text = await readFile(path.join(folder, stateFile), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw ioError(`cannot read ${folder}`, error);
  });
  if (text === undefined) return undefined;
  let file: TrainerFile;
  try {
    file = JSON.parse(text) as TrainerFile;
  } catch {
    throw corrupt(`expected ${stateFile} to be JSON, found something else`);
  }
  if (file?.format !== 1 || typeof file.checksums !== 'object') {
    throw corrupt(`expected ${stateFile} of format 1, found format ${String(file?.format)}`);
  }
  const { checksums, step, updates, draw, options, device } = file;
  for (const [name, expected] of Object.entries(checksums)) {
    const found = await checksum(path.join(folder, name)).catch(() => 'no file');
    if (found !== expected) throw corrupt(`expected ${name} with the checksum ${expected}, found ${found}`);
  }
  return { step, updates, draw, options, device };
}

function parse(line: string): { type: string; step: number } | undefined {
  try {
    return JSON.parse(line) as { type: string; step: number };
  } catch {
    return undefined; // the last line of a run that was killed
  }
}
