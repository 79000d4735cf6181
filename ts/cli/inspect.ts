import path from 'node:path';

import { Command, Option } from 'commander';

import { type CheckpointDescription, inspectCheckpoint } from '../checkpoint/describe.js';
import { hasTokenizer } from '../text/folder.js';
import { integer } from './arguments.js';
import { gibibytes, print } from './output.js';

interface InspectArguments {
  batchSize: number;
  length?: number;
  dtype: 'float32' | 'bfloat16';
  json?: boolean;
}

/** `glm inspect`: what a checkpoint holds, before it is loaded. */
export function inspect(): Command {
  return new Command('inspect')
    .description('Say what a checkpoint is, what of it loads, and how much memory it needs.')
    .argument('<checkpoint>', 'a folder or file: of the Hub, of the original, of DeepSpeed')
    .option('--batch-size <n>', 'examples of a batch, for the memory', integer(1), 1)
    .option('--length <n>', 'tokens of an example; default: the longest', integer(1))
    .addOption(
      new Option('--dtype <type>', 'type of activations').choices(['float32', 'bfloat16']).default('float32'),
    )
    .option('--json', 'one JSON document on stdout')
    .action(async (location: string, { json, ...options }: InspectArguments) => {
      const found = await inspectCheckpoint(location, options);
      const tokenizer = await tokenizerBeside(found.files);
      print(json, { ...found, tokenizer }, () => describe(location, found, tokenizer, options.batchSize));
    });
}

async function tokenizerBeside(files: readonly string[]): Promise<boolean> {
  const folder = path.dirname(files[0] as string);
  return (await hasTokenizer(folder)) || hasTokenizer(path.dirname(folder)).catch(() => false);
}

const formats = {
  safetensors: 'safetensors',
  pytorch: 'a PyTorch file',
  original: "the original's model-parallel files",
} as const;

function describe(
  location: string,
  found: CheckpointDescription,
  tokenizer: boolean,
  batchSize: number,
): string[] {
  const { parameters, memory } = found;
  const types = Object.keys(found.types).join(', ');
  const list = (title: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`  ${title}: ${names.join(', ')}`];
  return [
    `${location}: ${(parameters / 1e6).toFixed(1)} million parameters (${types}), tokenizer: ${tokenizer ? 'yes' : 'none'}`,
    `  ${formats[found.format]} (${found.files.length === 1 ? '1 file' : `${found.files.length} files`}); ${found.loads ? 'loads' : 'does not load'}`,
    ...Object.entries(found.config).map(([key, value]) => `  ${key}: ${String(value)}`),
    ...Object.entries(found.parts).map(([part, count]) => `  ${part}: ${count} parameters`),
    ...list('missing', found.missing),
    ...found.misshapen.map(
      ({ name, expected, found: shape }) =>
        `  of another shape: ${name} [${shape.join(', ')}], expected [${expected.join(', ')}]`,
    ),
    ...list('not used', found.ignored),
    ...found.notes.map((note) => `  note: ${note}`),
    `  memory for inference ${gibibytes(memory.inference)} (weights ${gibibytes(memory.parameters)}), for training ${gibibytes(memory.training)}, at a batch of ${batchSize}`,
  ];
}
