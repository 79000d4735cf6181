/** What a checkpoint is, what of it loads, and how much memory it needs, from headers alone. */

import { elementBytes } from '../io/element-type.js';
import type { GlmConfig } from '../model/config.js';
import { stepBytes } from '../model/step-memory.js';
import { elementCount } from '../shape.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import type { CheckpointFormat } from './files.js';
import { parameterBytes } from './load-parameters.js';

export interface InspectOptions {
  /** Examples of a batch, for the memory of training and generating. Default 1. */
  batchSize?: number;
  /** Tokens of an example. Default: the longest that the model takes. */
  length?: number;
  /** The type of activations. Default `float32`. */
  dtype?: 'float32' | 'bfloat16';
  /** Keys that hold instead of the checkpoint's. */
  config?: Partial<GlmConfig>;
}

export interface CheckpointDescription {
  format: CheckpointFormat;
  files: string[];
  config: GlmConfig;
  parameters: number;
  /** Parameters of each part of the model. */
  parts: Record<string, number>;
  /** Tensors by type, as they are in the files. */
  types: Record<string, number>;
  loads: boolean;
  missing: string[];
  misshapen: { name: string; expected: readonly number[]; found: readonly number[] }[];
  ignored: string[];
  notes: string[];
  /** Bytes on a CPU. */
  memory: {
    /** Parameters as they are held; where they lie in a mapped file this is memory that the system can take back. */
    parameters: number;
    /** Those and the keys and values of the batch. */
    inference: number;
    /** Float32 parameters and both moments, and the most that gradients and activations of the batch take. */
    training: number;
  };
}

/** Tokens of a batch that have a loss: 15 % of a text are masked, and Part B makes it that much longer. */
const lossShare = 1 / 6;

/** Throws as opening the checkpoint does: `GLM_IO`, `GLM_CORRUPT_FILE`, `GLM_CHECKPOINT_FORMAT`, `GLM_INCOMPATIBLE_MODEL`. */
export async function inspectCheckpoint(
  location: string,
  { batchSize = 1, length, dtype = 'float32', config }: InspectOptions = {},
): Promise<CheckpointDescription> {
  const checkpoint = await openCheckpoint(location, config);
  await checkpoint.close();
  const { format, files, missing, misshapen, ignored, notes } = checkpoint;
  const tokens = batchSize * (length ?? checkpoint.config.max_sequence_length);
  return {
    format,
    files,
    config: checkpoint.config,
    parameters: countParameters(checkpoint),
    parts: partsOf(checkpoint),
    types: typesOf(checkpoint),
    loads: missing.length === 0 && misshapen.length === 0,
    missing,
    misshapen,
    ignored,
    notes,
    memory: memoryOf(checkpoint, tokens, dtype),
  };
}

function countParameters({ specs }: Checkpoint): number {
  return specs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

function partsOf({ specs }: Checkpoint): Record<string, number> {
  const parts: Record<string, number> = {};
  for (const { name, shape } of specs) {
    const part = name.replace(/\.layers\.\d+/, '.layers').replace(/\.(weight|bias)$/, '');
    parts[part] = (parts[part] ?? 0) + elementCount(shape);
  }
  return parts;
}

function typesOf({ weights }: Checkpoint): Record<string, number> {
  const types: Record<string, number> = {};
  for (const { parts } of weights.values()) {
    for (const type of new Set(parts.map((part) => part.type))) types[type] = (types[type] ?? 0) + 1;
  }
  return types;
}

function memoryOf(
  checkpoint: Checkpoint,
  tokens: number,
  dtype: 'float32' | 'bfloat16',
): CheckpointDescription['memory'] {
  const { config, specs } = checkpoint;
  const element = elementBytes[dtype === 'float32' ? 'F32' : 'BF16'];
  const parameters = parameterBytes(checkpoint);
  const cache = 2 * config.num_layers * tokens * config.hidden_size * element;
  // The weights and their moments in float32, and the copies of matrices that a bfloat16 model computes with.
  const matrices = specs.filter(({ shape }) => shape.length === 2);
  const copies =
    dtype === 'bfloat16' ? 2 * matrices.reduce((sum, { shape }) => sum + elementCount(shape), 0) : 0;
  const sizes = { tokens, rows: Math.ceil(tokens * lossShare), dtype, accumulating: false };
  return {
    parameters,
    inference: parameters + cache,
    training: 12 * countParameters(checkpoint) + copies + stepBytes(config, sizes, 0),
  };
}
