/** The tensors of a checkpoint's files, by the names that they have there. */

import { GlmError } from '../errors.js';
import type { FileArray } from '../io/file-array.js';
import { InputFile } from '../io/input-file.js';
import type { PickleValue } from '../io/pickle.js';
import { SafetensorsFile } from '../io/safetensors.js';
import { TorchFile, TorchTensor } from '../io/torch-file.js';

export type NamedArrays = Map<string, FileArray>;

/** Keys that training code puts a model's tensors under, beside its optimizer. */
const wrappers = ['module', 'model', 'state_dict'];

/** Tensors of an open file, whichever of the formats it has. */
export async function readTensors(file: InputFile): Promise<NamedArrays> {
  const start = await file.read(0, Math.min(file.size, 9));
  const isTorch = start.toString('latin1', 0, 2) === 'PK' || start[0] === 0x80;
  return isTorch && start[8] !== '{'.charCodeAt(0) ? torchTensors(file) : safetensors(file);
}

async function safetensors(file: InputFile): Promise<NamedArrays> {
  return new Map((await SafetensorsFile.of(file)).entries);
}

async function torchTensors(file: InputFile): Promise<NamedArrays> {
  const torch = await TorchFile.open(file);
  const arrays: NamedArrays = new Map();
  for (const [name, value] of stateDict(file, torch.root)) {
    if (typeof name === 'string' && value instanceof TorchTensor) arrays.set(name, await torch.locate(value));
  }
  return arrays;
}

/** The dictionary that holds the tensors: the saved value itself, or one that it wraps. */
function stateDict(file: InputFile, root: PickleValue): Map<PickleValue, PickleValue> {
  let value = root;
  for (let depth = 0; depth <= wrappers.length; depth++) {
    if (!(value instanceof Map)) break;
    if ([...value.values()].some((item) => item instanceof TorchTensor)) return value;
    const map: Map<PickleValue, PickleValue> = value;
    const key = wrappers.find((name) => map.get(name) instanceof Map);
    if (key === undefined) break;
    value = map.get(key) as PickleValue;
  }
  throw new GlmError(
    'GLM_CHECKPOINT_FORMAT',
    `${file.path}: expected a dictionary of tensors, by itself or under ${wrappers.join(', ')}, found none; save a state dict`,
  );
}
