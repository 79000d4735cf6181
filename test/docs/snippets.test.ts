/** Every TypeScript snippet of the documents runs, in an order in which each finds what it needs. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM, Tokenizer } from '../../ts/index.js';
import { glm } from '../cli/command.js';
import { withFolder } from '../support/folder.js';

const snippets = suite('docs: snippets');
const root = path.join(import.meta.dirname, '../..');

/** The ```ts blocks of a document. */
async function blocksOf(document: string): Promise<string[]> {
  const text = await readFile(path.join(root, document), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string);
}

/** Runs a snippet as a program in the folder, with the package's sources under its name. */
async function run(code: string, folder: string, name: string): Promise<void> {
  const index = pathToFileURL(path.join(root, 'ts/index.ts')).href;
  const file = path.join(folder, `${name}.mts`);
  await writeFile(file, code.replaceAll("'glm-native'", `'${index}'`));
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  assert.is(status, 0, `${name} failed:\n${code}\n${output}`);
}

/** Text with enough different words for a vocabulary of 512. */
function prose(seed: number): string {
  const words = Array.from({ length: 400 }, (_, i) => `w${((i * 7919 + seed) % 9973).toString(36)}`);
  return Array.from({ length: 200 }, (_, i) => {
    const sentence = Array.from({ length: 12 }, (_, j) => words[(i * 31 + j * j * 17 + seed) % words.length]);
    return `${sentence.join(' ')}.${i % 5 === 4 ? '\n\n' : ' '}`;
  }).join('');
}

async function writeRte(folder: string): Promise<void> {
  await mkdir(folder);
  const record = { premise: 'It rains.', hypothesis: 'It is wet.', label: 'entailment', idx: 0 };
  for (const name of ['train', 'val'])
    await writeFile(path.join(folder, `${name}.jsonl`), JSON.stringify(record));
}

async function writeModel(folder: string, positions: number): Promise<void> {
  const text = `${folder}.txt`;
  await writeFile(text, prose(1));
  const tokenizer = await Tokenizer.train([text], { type: 'bpe', vocabSize: 512 });
  const config = {
    num_layers: 2,
    hidden_size: 64,
    num_attention_heads: 2,
    vocab_size: 512,
    max_sequence_length: positions,
  };
  using model = await GLM.create(config, { tokenizer });
  await model.save(folder);
}

snippets('README.md', async () => {
  const blocks = await blocksOf('README.md');
  // Filling and fine-tuning need the model that pretraining writes.
  const fills = (code: string) => code.includes("'my-glm'") && !code.includes("save('my-glm')");
  assert.ok(blocks.some(fills));
  const ordered = [...blocks.filter((code) => !fills(code)), ...blocks.filter(fills)];
  await withFolder(async (folder) => {
    await mkdir(path.join(folder, 'texts'));
    await writeFile(path.join(folder, 'texts/a.txt'), prose(1));
    await writeFile(path.join(folder, 'texts/b.txt'), prose(2));
    await writeRte(path.join(folder, 'RTE'));
    await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    for (const [i, code] of ordered.entries()) await run(code, folder, `readme-${i + 1}`);
  });
});

snippets('README.md: pretraining on the command line, with fewer steps', async () => {
  const text = await readFile(path.join(root, 'README.md'), 'utf8');
  const [, lines = ''] = /^## Pretrain\n.*?^```sh\n(.*?)^```$/ms.exec(text) ?? [];
  const commands = lines.trim().split('\n');
  assert.is(commands.length, 4);
  await withFolder(async (folder) => {
    await mkdir(path.join(folder, 'texts'));
    await writeFile(path.join(folder, 'texts/a.txt'), prose(1));
    for (const command of commands) {
      const words = [...command.replace('--steps 300', '--steps 2').matchAll(/'([^']*)'|(\S+)/g)];
      const [program, ...args] = words.map(([, quoted, plain]) => quoted ?? plain!);
      assert.is(program, 'glm');
      const place = (arg: string) => (/^(texts|runs\/)/.test(arg) ? path.join(folder, arg) : arg);
      const { status, stderr } = await glm(...args.map(place));
      assert.is(status, 0, `${command}\n${stderr}`);
    }
    assert.match(await readFile(path.join(folder, 'runs/small/report.html'), 'utf8'), '</html>');
  });
});

snippets('docs/tasks.md', async () => {
  const blocks = await blocksOf('docs/tasks.md');
  assert.ok(blocks.length > 0);
  await withFolder(async (folder) => {
    await writeModel(path.join(folder, 'my-glm'), 128);
    await writeRte(path.join(folder, 'RTE'));
    await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    for (const [i, code] of blocks.entries()) await run(code, folder, `tasks-${i + 1}`);
  });
});

snippets('docs/models.md', async () => {
  const [code, ...others] = await blocksOf('docs/models.md');
  assert.is(others.length, 0);
  await withFolder(async (folder) => {
    await writeModel(path.join(folder, 'glm-large'), 32);
    await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    await run(code!, folder, 'models');
  });
});

snippets.run();
