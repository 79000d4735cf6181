import { Command, InvalidArgumentError, Option } from 'commander';

import { convertCheckpoint, type ConvertOptions } from '../checkpoint/convert.js';
import { findCheckpoint } from '../checkpoint/files.js';
import { hasTokenizer } from '../text/folder.js';
import { Tokenizer } from '../text/tokenizer.js';
import { integer } from './arguments.js';
import { print } from './output.js';

interface ConvertArguments {
  format: NonNullable<ConvertOptions['format']>;
  dtype?: NonNullable<ConvertOptions['dtype']>;
  modelParallel: number;
  maxShardSize?: number;
  heads?: number;
  json?: boolean;
}

/** `glm convert`: a checkpoint in another format. */
export function convert(): Command {
  return new Command('convert')
    .description('Write a checkpoint in another format, type or number of files.')
    .argument('<from>', 'a folder or file: of the Hub, of the original, of DeepSpeed')
    .argument('<to>', 'the folder to write')
    .addOption(
      new Option('--format <format>', "the Hub's safetensors or pytorch, or the original's mp_rank files")
        .choices(['safetensors', 'pytorch', 'original'])
        .default('safetensors'),
    )
    .addOption(new Option('--dtype <type>', 'default: as it is').choices(['float32', 'float16', 'bfloat16']))
    .option('--model-parallel <n>', 'ranks of the original format', integer(1), 1)
    .option('--max-shard-size <size>', 'of a file, such as 5GB; default: one file', byteCount)
    .option('--heads <n>', 'attention heads, where no config.json says it', integer(1))
    .option('--json', 'one JSON document on stdout')
    .action(async (from: string, to: string, options: ConvertArguments) => {
      const { format, dtype, modelParallel, maxShardSize, heads, json } = options;
      const { files } = await convertCheckpoint(from, to, {
        format,
        modelParallel,
        ...(dtype && { dtype }),
        ...(maxShardSize !== undefined && { maxShardBytes: maxShardSize }),
        ...(heads !== undefined && { config: { num_attention_heads: heads } }),
      });
      const tokenizer = await copyTokenizer(from, to);
      print(json, { files, tokenizer }, () => [
        ...files.map((file) => `wrote ${file}`),
        tokenizer ? `wrote the tokenizer's files` : 'no tokenizer beside the checkpoint',
      ]);
    });
}

/** Writes the tokenizer that lies beside a checkpoint. */
async function copyTokenizer(from: string, to: string): Promise<boolean> {
  for (const folder of (await findCheckpoint(from)).folders) {
    if (!(await hasTokenizer(folder))) continue;
    await (await Tokenizer.load(folder)).save(to);
    return true;
  }
  return false;
}

function byteCount(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)?$/i.exec(text) ?? [];
  const size = Number(number) * 1000 ** ['B', 'KB', 'MB', 'GB'].indexOf((unit ?? 'B').toUpperCase());
  if (!(size >= 1)) throw new InvalidArgumentError(`expected a size such as 5GB, found "${text}"`);
  return size;
}
