import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { Command } from 'commander';

import { elementCount } from '../shape.js';
import { SafetensorsFile } from '../io/safetensors.js';
import { type GlmConfigInput, resolveConfig } from '../model/config.js';
import { parameterTable } from '../model/parameters.js';
import { hasTokenizer } from '../text/folder.js';
import { gibibytes, print } from './output.js';

/** `glm inspect`: what a model folder holds, before it is loaded. */
export function inspect(): Command {
  return new Command('inspect')
    .description('Say what a model folder holds, and how much memory it needs.')
    .argument('<folder>', 'a model folder')
    .option('--json', 'one JSON document on stdout')
    .action(async (folder: string, { json }: { json?: boolean }) => {
      const found = await describe(folder);
      print(json, found, () => [
        `${folder}: ${(found.parameters / 1e6).toFixed(1)} million parameters (${found.types.join(', ')}), tokenizer: ${found.tokenizer ? 'yes' : 'none'}`,
        ...Object.entries(found.config).map(([key, value]) => `  ${key}: ${String(value)}`),
        ...Object.entries(found.parts).map(([part, count]) => `  ${part}: ${count} parameters`),
        ...(found.missing.length > 0 ? [`  missing: ${found.missing.join(', ')}`] : []),
        ...(found.ignored.length > 0 ? [`  not used: ${found.ignored.join(', ')}`] : []),
        `  memory for inference ${gibibytes(found.memory.inference)}, for training ${gibibytes(found.memory.training)}, and activations`,
      ]);
    });
}

async function describe(folder: string) {
  const config = resolveConfig(
    JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) as GlmConfigInput,
  );
  const file = await SafetensorsFile.open(path.join(folder, 'model.safetensors'));
  await file.close();
  const table = parameterTable(config);
  const names = new Set(table.map(({ name }) => name));
  const parts: Record<string, number> = {};
  let parameters = 0;
  for (const { name, shape } of table) {
    const count = elementCount(shape);
    const part = name.replace(/\.layers\.\d+/, '.layers').replace(/\.(weight|bias)$/, '');
    parts[part] = (parts[part] ?? 0) + count;
    parameters += count;
  }
  return {
    config,
    parameters,
    parts,
    types: [...new Set([...file.entries.values()].map(({ type }) => type))],
    tokenizer: await hasTokenizer(folder),
    missing: table.filter(({ name }) => !file.entries.has(name)).map(({ name }) => name),
    ignored: [...file.entries.keys()].filter((name) => !names.has(name)),
    // float32 weights; in training also a gradient and two moments of each.
    memory: { inference: 4 * parameters, training: 16 * parameters },
  };
}
