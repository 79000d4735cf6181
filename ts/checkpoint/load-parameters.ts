/** Parameters on their device: in place over the mapped file where that can be, else read and converted natively. */

import type { ElementType } from '../io/element-type.js';
import { initialized, isMatrix, ModelParameters, type ParameterSpec } from '../model/parameters.js';
import type { DType, NativeDevice, NativeTensor } from '../native.js';
import { elementCount } from '../shape.js';
import { type Checkpoint, checkComplete } from './checkpoint.js';
import { arrayForNative, forNative, typeOf, type Weight } from './weight.js';

export interface LoadProgress {
  loaded: number;
  total: number;
}

export interface LoadParametersOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Of parameters that the checkpoint has not. */
  seed?: number | undefined;
}

/**
 * Loads what an open checkpoint has; additions that it has not begin as those of a new model.
 * @throws GlmError GLM_MISSING_WEIGHTS, GLM_CHECKPOINT_FORMAT, GLM_CORRUPT_FILE, GLM_IO, GLM_OUT_OF_MEMORY
 */
export async function loadParameters(
  device: NativeDevice,
  checkpoint: Checkpoint,
  { signal, onProgress, seed = 0 }: LoadParametersOptions,
): Promise<ModelParameters> {
  checkComplete(checkpoint);
  const { specs, weights } = checkpoint;
  const tensors: NativeTensor[] = [];
  try {
    for (const [site, spec] of specs.entries()) {
      signal?.throwIfAborted();
      const weight = weights.get(spec.name);
      const dtype = dtypeOf(spec, checkpoint);
      const mapped = weight && inPlace(device, weight, spec, dtype);
      const tensor = mapped ?? make(device, weight, spec, dtype, { seed, site });
      tensors.push(tensor);
      if (!mapped && weight) {
        device.load(tensor, forNative(weight));
        await device.synchronize(); // what was read, not what was enqueued
      }
      onProgress?.({ loaded: site + 1, total: specs.length });
    }
  } catch (error) {
    for (const tensor of tensors) tensor.dispose();
    device.trim();
    throw error;
  }
  return ModelParameters.of(specs, tensors);
}

/** Matrices keep a half type that kernels know; the embeddings have one type; everything else is float32. */
function dtypeOf(spec: ParameterSpec, { specs, weights }: Checkpoint): DType {
  const { name } = spec;
  if (!isMatrix(spec)) return 'float32';
  const isEmbedding = (other: string) => /(word|position)_embeddings\.weight$/.test(other);
  const together = isEmbedding(name) ? specs.filter((spec) => isEmbedding(spec.name)) : [spec];
  const all = (type: ElementType) =>
    together.every((spec) => {
      const weight = weights.get(spec.name);
      return weight !== undefined && typeOf(weight) === type && !grows(weight, spec.shape);
    });
  if (all('BF16')) return 'bfloat16';
  return all('F16') ? 'float16' : 'float32';
}

/** Whether a table has fewer rows than it is to have. */
function grows(weight: Weight, shape: readonly number[]): boolean {
  return weight.shape.join() !== shape.join();
}

const fileTypes: Partial<Record<DType, string>> = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' };

function inPlace(
  device: NativeDevice,
  weight: Weight,
  spec: ParameterSpec,
  dtype: DType,
): NativeTensor | null {
  const [part] = weight.parts;
  const fitting =
    part !== undefined &&
    weight.parts.length === 1 &&
    part.type === fileTypes[dtype] &&
    part.shape.join() === spec.shape.join();
  return fitting ? device.map(arrayForNative(part), true) : null;
}

/** Memory for values that are read. What no file has, such as new rows of a position table, begins as in a new model. */
function make(
  device: NativeDevice,
  weight: Weight | undefined,
  spec: ParameterSpec,
  dtype: DType,
  { seed, site }: { seed: number; site: number },
): NativeTensor {
  if (weight !== undefined && !grows(weight, spec.shape)) return device.tensor(spec.shape, dtype, null, true);
  return initialized(device, spec, seed, site);
}

/** The bytes of a model's parameters as a CPU holds them. */
export function parameterBytes(checkpoint: Checkpoint): number {
  return checkpoint.specs.reduce(
    (sum, spec) => sum + elementCount(spec.shape) * (dtypeOf(spec, checkpoint) === 'float32' ? 4 : 2),
    0,
  );
}
