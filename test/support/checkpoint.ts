/** A tiny model's weights, and folders that hold them in every format. */

import path from 'node:path';

import { GLM } from '../../ts/glm.js';
import { writeFileAtomically } from '../../ts/files.js';
import { type TensorToWrite, writeSafetensors } from '../../ts/io/safetensors.js';
import { type TorchValue, writeTorchFile } from '../../ts/io/torch-writer.js';
import { type GlmConfigInput, resolveConfig } from '../../ts/model/config.js';
import { parameterTable } from '../../ts/model/parameters.js';
import { elementCount } from '../../ts/shape.js';
import { TestRandom } from './random.js';

export const tinyConfig: GlmConfigInput = {
  num_layers: 2,
  hidden_size: 16,
  num_attention_heads: 4,
  vocab_size: 24,
  max_sequence_length: 8,
};

export type Weights = Map<string, { shape: readonly number[]; values: Float32Array }>;

/** Random weights whose values are the same in float16 and bfloat16. */
export function tinyWeights(config: GlmConfigInput = tinyConfig): Weights {
  const random = new TestRandom(7);
  return new Map(
    parameterTable(resolveConfig(config)).map(({ name, shape }) => [
      name,
      {
        shape,
        values: Float32Array.from({ length: elementCount(shape) }, () => (random.below(255) - 127) / 64),
      },
    ]),
  );
}

type SmallType = 'F32' | 'F16' | 'BF16';

/** The weights as a file takes them. */
export function toWrite(weights: Weights, prefix = '', type: SmallType = 'F32'): TensorToWrite[] {
  return [...weights].map(([name, { shape, values }]) => ({
    name: prefix + name,
    type,
    shape,
    bytes: () => bytesOf(values, type),
  }));
}

function bytesOf(values: Float32Array, type: SmallType): Uint8Array {
  if (type === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const half = type === 'BF16' ? bfloat16Bits : float16Bits;
  return new Uint8Array(Uint16Array.from(values, half).buffer);
}

const word = new DataView(new ArrayBuffer(4));

function bfloat16Bits(value: number): number {
  word.setFloat32(0, value);
  return word.getUint16(0);
}

/** Of values that float16 has. */
function float16Bits(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  if (Math.abs(value) < 2 ** -14) return sign | (Math.abs(value) * 2 ** 24);
  return sign | ((((bits >>> 23) & 255) - 112) << 10) | ((bits >>> 13) & 1023);
}

export function asDictionary(tensors: readonly TensorToWrite[]): ReadonlyMap<string, TorchValue> {
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

export async function writeConfig(folder: string, config: object = tinyConfig): Promise<void> {
  await writeFileAtomically(path.join(folder, 'config.json'), JSON.stringify(config));
}

/** A folder with safetensors. */
export async function writeModel(
  folder: string,
  tensors: readonly TensorToWrite[] = toWrite(tinyWeights()),
  config: object = tinyConfig,
): Promise<void> {
  await writeConfig(folder, config);
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors);
}

/** A folder with a PyTorch file. */
export async function writeTorchModel(
  folder: string,
  tensors: readonly TensorToWrite[] = toWrite(tinyWeights()),
  config: object = tinyConfig,
): Promise<void> {
  await writeConfig(folder, config);
  await writeTorchFile(path.join(folder, 'pytorch_model.bin'), asDictionary(tensors));
}

/** The names of the weights whose values in the model are others. */
export async function differing(model: GLM, weights: Weights): Promise<string[]> {
  const names: string[] = [];
  for (const [name, { values }] of weights) {
    const found = await model.readParameter(name);
    if (Buffer.compare(bits(found), bits(values)) !== 0) names.push(name);
  }
  return names;
}

function bits({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
