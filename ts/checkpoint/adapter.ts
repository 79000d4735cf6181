/**
 * What was added to a pretrained model, in a folder of its own: `adapter.safetensors` with the weights, by the model's names, and
 * `adapter.json` with the keys of the configuration that say what they are.
 */

import path from 'node:path';

import { writeFileAtomically } from '../files.js';
import { type TensorToWrite, writeSafetensors } from '../io/safetensors.js';
import type { GlmConfig } from '../model/config.js';
import { readJson } from './files.js';

const keys = ['num_labels', 'spell_length', 'spell_func', 'lora_rank'] as const;
const weightsFile = 'adapter.safetensors';
const configFile = 'adapter.json';

/** Writes an adapter; each file appears whole or not at all. Throws `GLM_IO`. */
export async function writeAdapter(
  folder: string,
  config: GlmConfig,
  weights: readonly TensorToWrite[],
): Promise<void> {
  await writeSafetensors(path.join(folder, weightsFile), weights);
  const own = Object.fromEntries(keys.map((key) => [key, config[key]]));
  await writeFileAtomically(path.join(folder, configFile), `${JSON.stringify(own, null, 2)}\n`);
}

/** Throws `GLM_IO`, `GLM_CORRUPT_FILE`. */
export async function findAdapter(folder: string): Promise<{ file: string; config: Partial<GlmConfig> }> {
  const read = await readJson(path.join(folder, configFile));
  const config = Object.fromEntries(keys.filter((key) => key in read).map((key) => [key, read[key]]));
  return { file: path.join(folder, weightsFile), config };
}
