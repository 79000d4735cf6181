/** Which files make up a checkpoint: a folder of the Hub, of the original or of DeepSpeed, or a file by itself. */

import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

import { GlmError } from '../errors.js';
import { ioError } from '../files.js';

export type CheckpointFormat = 'safetensors' | 'pytorch' | 'original';

export interface CheckpointFiles {
  format: CheckpointFormat;
  /** Of the original's model-parallel ranks, else of the shards. */
  files: string[];
  /** Where config.json and the tokenizer may be, the first that has them. */
  folders: string[];
}

const rankFile = /^mp_rank_(\d+)_model_states\.pt$/;
const single = { safetensors: 'model.safetensors', pytorch: 'pytorch_model.bin' } as const;
const tagFiles = ['latest', 'latest_checkpointed_iteration.txt'];

/** Throws `GLM_IO`, `GLM_CHECKPOINT_FORMAT`, `GLM_CORRUPT_FILE`. */
export async function findCheckpoint(location: string): Promise<CheckpointFiles> {
  const status = await stat(location).catch((cause: unknown) => {
    throw ioError(`cannot open ${location}`, cause);
  });
  if (!status.isDirectory()) return singleFile(location);
  const found = await inFolder(location);
  if (found !== undefined) return found;
  for (const name of tagFiles) {
    const tag = await readTag(path.join(location, name));
    if (tag === undefined) continue;
    const folder = path.join(location, tag);
    const tagged = await inFolder(folder);
    if (tagged !== undefined) return { ...tagged, folders: [folder, location] };
    throw formatError(location, `expected the weights in ${folder}, as ${name} says, found none there`);
  }
  const names = await listFolder(location);
  throw formatError(
    location,
    'expected model.safetensors, pytorch_model.bin, an index of shards, mp_rank_00_model_states.pt, or `latest` with a tag; ' +
      `found ${names.length === 0 ? 'an empty folder' : names.sort().slice(0, 12).join(', ')}`,
  );
}

async function singleFile(file: string): Promise<CheckpointFiles> {
  const folder = path.dirname(file);
  if (rankFile.test(path.basename(file))) {
    const found = await ranksIn(folder, await listFolder(folder));
    if (found !== undefined) return found;
  }
  const format = file.endsWith('.safetensors') ? 'safetensors' : 'pytorch';
  return { format, files: [file], folders: [folder] };
}

async function inFolder(folder: string): Promise<CheckpointFiles | undefined> {
  const names = await listFolder(folder);
  for (const format of ['safetensors', 'pytorch'] as const) {
    const name = single[format];
    if (names.includes(name)) return { format, files: [path.join(folder, name)], folders: [folder] };
    const index = `${name}.index.json`;
    if (names.includes(index)) {
      return { format, files: await readIndex(folder, path.join(folder, index)), folders: [folder] };
    }
  }
  return ranksIn(folder, names);
}

/** The files of all ranks, which must be there from 0 on. */
async function ranksIn(folder: string, names: readonly string[]): Promise<CheckpointFiles | undefined> {
  const ranks = new Map<number, string>();
  for (const name of names) {
    const rank = rankFile.exec(name)?.[1];
    if (rank !== undefined) ranks.set(Number(rank), name);
  }
  if (ranks.size === 0) return undefined;
  const files = Array.from({ length: ranks.size }, (_, rank) => {
    const name = ranks.get(rank);
    if (name === undefined) {
      throw formatError(
        folder,
        `expected the model-parallel ranks 0 to ${ranks.size - 1}, found none for rank ${rank}; copy all files`,
      );
    }
    return path.join(folder, name);
  });
  return Promise.resolve({ format: 'original', files, folders: [folder] });
}

/** The shards that an index names. They lie beside it: a path is refused. */
async function readIndex(folder: string, file: string): Promise<string[]> {
  const index = await readJson(file);
  const map = index['weight_map'];
  const shards = new Set(typeof map === 'object' && map !== null ? Object.values(map) : []);
  if (shards.size === 0) throw corruptIndex(file, 'expected weight_map to name the shards, found none');
  return [...shards].map((shard) => {
    if (
      typeof shard !== 'string' ||
      path.basename(shard) !== shard ||
      shard.includes('\\') ||
      shard === '..'
    ) {
      throw corruptIndex(
        file,
        `expected the names of files beside it, found ${JSON.stringify(shard)?.slice(0, 100)}`,
      );
    }
    return path.join(folder, shard);
  });
}

/** The contents of a file that says which folder is the newest; undefined where there is none. */
async function readTag(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw ioError(`cannot read ${file}`, cause);
  });
  const tag = text?.trim();
  if (tag !== undefined && (tag === '' || path.basename(tag) !== tag || tag === '..')) {
    throw corruptIndex(file, `expected the name of a folder, found ${JSON.stringify(tag.slice(0, 100))}`);
  }
  return tag;
}

/** A JSON object from a file. Throws `GLM_IO`, `GLM_CORRUPT_FILE`. */
export async function readJson(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw ioError(`cannot read ${file}`, cause);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GlmError(
      'GLM_CORRUPT_FILE',
      `${file}: expected JSON, found something else; get the file again`,
      { cause },
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw corruptIndex(file, 'expected a JSON object, found another value');
  }
  return value as Record<string, unknown>;
}

async function listFolder(folder: string): Promise<string[]> {
  return readdir(folder).catch((cause: unknown) => {
    throw ioError(`cannot read the folder ${folder}`, cause);
  });
}

function corruptIndex(file: string, message: string): GlmError {
  return new GlmError('GLM_CORRUPT_FILE', `${file}: ${message}; get the file again from where it came from`);
}

function formatError(location: string, message: string): GlmError {
  return new GlmError('GLM_CHECKPOINT_FORMAT', `${location}: ${message}`);
}
