/** From any checkpoint to another format: names, shards, model-parallel ranks and types. One tensor is in memory at a time. */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { GlmError } from '../errors.js';
import { writeFileAtomically } from '../files.js';
import { elementBytes } from '../io/element-type.js';
import { type TensorToWrite, writeSafetensors } from '../io/safetensors.js';
import { type TorchValue, writeTorchFile } from '../io/torch-writer.js';
import type { GlmConfig } from '../model/config.js';
import { type DType, native } from '../native.js';
import { elementCount } from '../shape.js';
import { type Checkpoint, checkComplete, openCheckpoint } from './checkpoint.js';
import { configText } from './config-file.js';
import type { CheckpointFormat } from './files.js';
import { splitForRank } from './model-parallel.js';
import { forNative, typeOf, type Weight } from './weight.js';

export interface ConvertOptions {
  /** `safetensors` and `pytorch`: a folder as the Hub has it; `original`: `mp_rank_XX_model_states.pt`. Default `safetensors`. */
  format?: CheckpointFormat;
  /** Default: as it is. */
  dtype?: 'float32' | 'float16' | 'bfloat16';
  /** Model-parallel ranks of the `original` format. Default 1. */
  modelParallel?: number;
  /** Bytes of a shard; a tensor is never cut. Default: one file. */
  maxShardBytes?: number;
  /** Keys that hold instead of the checkpoint's. */
  config?: Partial<GlmConfig>;
}

type HalfOrSingle = 'F32' | 'F16' | 'BF16';
const fileTypes = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;
const deviceTypes: Record<HalfOrSingle, DType> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** The folder of the original's newest iteration that has none. */
const tag = '0';

/**
 * Writes the checkpoint at `from` into the folder `to`. The tokenizer's files are not part of it.
 * @throws GlmError GLM_IO, GLM_CORRUPT_FILE, GLM_CHECKPOINT_FORMAT, GLM_MISSING_WEIGHTS, GLM_INVALID_ARGUMENT
 */
export async function convertCheckpoint(
  from: string,
  to: string,
  { format = 'safetensors', dtype, modelParallel = 1, maxShardBytes = Infinity, config }: ConvertOptions = {},
): Promise<{ files: string[] }> {
  checkCount('modelParallel', modelParallel);
  if (!(maxShardBytes > 0)) throw badOption('maxShardBytes', 'a positive number', maxShardBytes);
  if (modelParallel > 1 && format !== 'original')
    throw badOption('format', 'original for several model-parallel ranks', format);
  const checkpoint = await openCheckpoint(from, config);
  try {
    checkComplete(checkpoint);
    const type = dtype === undefined ? undefined : fileTypes[dtype];
    if (dtype !== undefined && type === undefined)
      throw badOption('dtype', Object.keys(fileTypes).join(', '), dtype);
    await mkdir(to, { recursive: true });
    const files =
      format === 'original'
        ? await writeRanks(checkpoint, to, modelParallel, type)
        : await writeHub(checkpoint, to, format, maxShardBytes, type);
    const configFile = path.join(to, 'config.json');
    await writeFileAtomically(configFile, configText(checkpoint.config));
    return { files: [...files, configFile] };
  } finally {
    await checkpoint.close();
  }
}

async function writeHub(
  checkpoint: Checkpoint,
  to: string,
  format: 'safetensors' | 'pytorch',
  maxShardBytes: number,
  type: HalfOrSingle | undefined,
): Promise<string[]> {
  const tensors = checkpoint.specs.map(({ name, shape }) =>
    tensorToWrite(name, shape, checkpoint.weights.get(name)!, type),
  );
  const shards = intoShards(tensors, maxShardBytes);
  const [stem, extension, whole] =
    format === 'safetensors'
      ? (['model', '.safetensors', 'model.safetensors'] as const)
      : (['pytorch_model', '.bin', 'pytorch_model.bin'] as const);
  const number = (i: number) => String(i).padStart(5, '0');
  const names = shards.map((_, i) =>
    shards.length === 1 ? whole : `${stem}-${number(i + 1)}-of-${number(shards.length)}${extension}`,
  );
  for (const [i, shard] of shards.entries()) {
    const file = path.join(to, names[i] as string);
    if (format === 'safetensors') await writeSafetensors(file, shard);
    else await writeTorchFile(file, byName(shard));
  }
  const files = names.map((name) => path.join(to, name));
  if (shards.length === 1) return files;
  const index = {
    metadata: { total_size: tensors.reduce((sum, tensor) => sum + sizeOf(tensor), 0) },
    weight_map: Object.fromEntries(shards.flatMap((shard, i) => shard.map(({ name }) => [name, names[i]]))),
  };
  const indexFile = path.join(to, `${whole}.index.json`);
  await writeFileAtomically(indexFile, `${JSON.stringify(index, null, 2)}\n`);
  return [...files, indexFile];
}

/** A folder that the original and DeepSpeed read: the tag of the newest iteration, and a file for each rank. */
async function writeRanks(
  checkpoint: Checkpoint,
  to: string,
  ranks: number,
  type: HalfOrSingle | undefined,
): Promise<string[]> {
  const files: string[] = [];
  for (let rank = 0; rank < ranks; rank++) {
    const tensors = checkpoint.specs.map(({ name }) => {
      const weight = splitForRank(name, checkpoint.weights.get(name)!, rank, ranks);
      return tensorToWrite(name, weight.shape, weight, type);
    });
    const state = new Map<string, TorchValue>([
      ['module', byName(tensors)],
      ['mp_world_size', ranks],
      ['iteration', Number(tag)],
    ]);
    files.push(path.join(to, tag, `mp_rank_${String(rank).padStart(2, '0')}_model_states.pt`));
    await writeTorchFile(files.at(-1) as string, state);
  }
  for (const name of ['latest', 'latest_checkpointed_iteration.txt']) {
    await writeFileAtomically(path.join(to, name), `${tag}\n`);
  }
  return files;
}

/** A parameter in the file's own type, or in `type`; read and converted natively when its turn comes. */
function tensorToWrite(
  name: string,
  shape: readonly number[],
  weight: Weight,
  type: HalfOrSingle | undefined,
): TensorToWrite {
  if (weight.shape.join() !== shape.join()) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected ${name} to have ${shape[0]} rows, found ${weight.shape[0]}; a longer table is made when a model is loaded: load it, then save it`,
    );
  }
  const own = typeOf(weight);
  const written = type ?? (own === 'F16' || own === 'BF16' ? own : 'F32');
  return {
    name,
    type: written,
    shape,
    bytes: () => native.readArrays(forNative(weight), deviceTypes[written]),
  };
}

function intoShards(tensors: readonly TensorToWrite[], most: number): TensorToWrite[][] {
  const shards: TensorToWrite[][] = [];
  let left = 0;
  for (const tensor of tensors) {
    const size = sizeOf(tensor);
    if (shards.length === 0 || size > left) {
      shards.push([]);
      left = most;
    }
    shards.at(-1)?.push(tensor);
    left -= size;
  }
  return shards;
}

function byName(tensors: readonly TensorToWrite[]): ReadonlyMap<string, TorchValue> {
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

function sizeOf({ shape, type }: TensorToWrite): number {
  return elementCount(shape) * elementBytes[type];
}

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > 1024)
    throw badOption(name, 'an integer from 1 to 1024', value);
}

function badOption(name: string, expected: string, found: unknown): GlmError {
  return new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected ${name} to be ${expected}, found ${JSON.stringify(found)}`,
  );
}
