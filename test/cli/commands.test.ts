/** Help, usage errors, failures, and the commands that take a moment. Exit status 0 done, 1 failed, 2 wrong usage. */

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import { withFolder } from '../support/folder.js';
import { glm } from './command.js';
import { textAndModel } from './text.js';

const commands = suite('command line');

const names = ['tokenize', 'pretrain', 'finetune', 'eval', 'report', 'inspect', 'convert', 'doctor', 'fill', 'generate', 'choose']; // prettier-ignore

interface Failure {
  error: { code: string; message: string };
}

commands('--help and --version: status 0, on stdout', async () => {
  const help = await glm('--help');
  assert.is(help.status, 0);
  for (const name of names) assert.match(help.stdout, new RegExp(`^  ${name} `, 'm'));
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  const shown = await glm('--version');
  assert.equal([shown.status, shown.stdout], [0, `${version}\n`]);
});

commands('--help of each command says what it takes', async () => {
  const helps = await Promise.all(names.map((name) => glm(name, '--help')));
  for (const [i, { status, stdout }] of helps.entries()) {
    const name = names[i]!;
    assert.is(status, 0, name);
    assert.match(stdout, `Usage: glm ${name}`);
    assert.match(stdout, '--json');
  }
});

commands('wrong usage: status 2, on stderr', async () => {
  const wrong: [string[], RegExp][] = [
    [['nonsense'], /unknown command 'nonsense'/],
    [['doctor', '--nonsense'], /unknown option '--nonsense'/],
    [['report'], /missing required argument 'runs'/],
    [['inspect'], /missing required argument 'checkpoint'/],
    [['tokenize', 'a.txt'], /required option '--tokenizer <folder>'/],
    [['pretrain', 'a.txt', '--out', 'x', '--model', 'large'], /the name of one .*found "large"/],
    [['fill'], /missing required argument 'model'/],
    [['pretrain', 'a.txt'], /required option '--out <folder>'/],
    [['pretrain', 'a.txt', '--out', 'x', '--steps', 'many'], /whole number from 0 on, found "many"/],
    [['pretrain', 'a.txt', '--out', 'x', '--dtype', 'int8'], /float32, bfloat16/],
  ];
  for (const [args, message] of wrong) {
    const { status, stdout, stderr } = await glm(...args);
    assert.is(status, 2, args.join(' '));
    assert.is(stdout, '', args.join(' '));
    assert.match(stderr, message);
  }
});

commands(
  'a failure: status 1, wrong arguments: 2; its code and message on stderr, or with --json on stdout',
  () =>
    withFolder(async (folder) => {
      const failures: [string[], string][] = [
        [['report', folder], 'GLM_IO'],
        [['tokenize', path.join(folder, 'none.txt'), '--tokenizer', folder], 'GLM_TOKENIZER'],
        [['pretrain', '--out', path.join(folder, 'run')], 'GLM_INVALID_ARGUMENT'],
        [['pretrain', '--resume', '--out', path.join(folder, 'run')], 'GLM_IO'],
        [['pretrain', folder, '--out', path.join(folder, 'run'), '--recipe', 'none'], 'GLM_INVALID_ARGUMENT'],
        [['pretrain', '--resume', '--out', folder, '--seed', '1'], 'GLM_INVALID_ARGUMENT'],
        [['pretrain', folder, '--out', path.join(folder, 'run'), '--model', 'none.json'], 'GLM_IO'],
      ];
      for (const [args, code] of failures) {
        const plain = await glm(...args);
        const status = code === 'GLM_INVALID_ARGUMENT' ? 2 : 1;
        assert.equal([plain.status, plain.stdout], [status, ''], args.join(' '));
        assert.match(plain.stderr, new RegExp(`^${code}: `, 'm'));
        assert.not.match(plain.stderr, /\n {4}at /);
        const json = await glm(...args, '--json');
        assert.is(json.status, status);
        assert.is((JSON.parse(json.stdout) as Failure).error.code, code);
      }
    }),
);

commands('doctor: devices, for people and as JSON', async () => {
  const { status, stdout } = await glm('doctor', '--json');
  assert.is(status, 0);
  const found = JSON.parse(stdout) as { node: string; devices: { name: string; available: boolean }[] };
  assert.is(found.node, process.version);
  assert.ok(found.devices.some(({ name, available }) => name === 'cpu' && available));
  assert.match((await glm('doctor')).stdout, /✔ cpu: /);
});

commands('inspect: parameters of a model folder', () =>
  withFolder(async (folder) => {
    using model = await GLM.create('glm-tiny', { device: 'cpu', threads: 1 });
    await model.save(folder);
    const { status, stdout } = await glm('inspect', folder, '--json');
    assert.is(status, 0);
    const found = JSON.parse(stdout) as { parameters: number; tokenizer: boolean; missing: string[] };
    assert.equal([found.parameters, found.tokenizer, found.missing], [model.parameterCount, false, []]);
    assert.match((await glm('inspect', folder)).stdout, /million parameters \(F32\), tokenizer: none/);
  }),
);

commands('convert: into ranks of the original and back, byte for byte', () =>
  withFolder(async (folder) => {
    const [from, ranks, back] = ['from', 'ranks', 'back'].map((name) => path.join(folder, name)) as [string, string, string]; // prettier-ignore
    using model = await GLM.create('glm-tiny', { device: 'cpu', threads: 1 });
    await model.save(from);
    const split = await glm(
      'convert',
      from,
      ranks,
      '--format',
      'original',
      '--model-parallel',
      '2',
      '--json',
    );
    assert.is(split.status, 0, split.stderr);
    assert.is((JSON.parse(split.stdout) as { files: string[] }).files.length, 3);
    assert.match((await glm('inspect', ranks)).stdout, /model-parallel files \(2 files\); loads/);
    assert.match((await glm('convert', ranks, back)).stdout, /wrote .*model\.safetensors/);
    const bytes = (place: string) => readFile(path.join(place, 'model.safetensors'));
    assert.ok((await bytes(from)).equals(await bytes(back)));
    const wrong = await glm('convert', from, back, '--model-parallel', '2');
    assert.equal([wrong.status, /GLM_INVALID_ARGUMENT/.test(wrong.stderr)], [2, true]);
    const absent = await glm('inspect', path.join(folder, 'nowhere'));
    assert.equal([absent.status, /GLM_IO.*check the path/.test(absent.stderr)], [1, true]);
  }),
);

commands('tokenize: trains a tokenizer on a folder, and counts', () =>
  withFolder(async (folder) => {
    const { texts } = await textAndModel(folder);
    const tokenizer = path.join(folder, 'tokenizer');
    const cache = path.join(folder, 'cache');
    const trained = await glm('tokenize', texts, '--tokenizer', tokenizer, '--train', 'bpe', '--vocab-size', '400', '--cache', cache, '--json'); // prettier-ignore
    assert.is(trained.status, 0, trained.stderr);
    const found = JSON.parse(trained.stdout) as { documents: number; tokens: number; vocabSize: number };
    assert.is(found.documents, 60);
    assert.is(found.vocabSize, 400);
    const again = await glm('tokenize', texts, '--tokenizer', tokenizer, '--cache', cache);
    assert.equal([again.status, again.stderr], [0, '']);
    assert.match(again.stdout, `60 documents, ${found.tokens} tokens of a vocabulary of 400`);
    await writeFile(path.join(texts, 'c.jsonl'), '{"text":"a"}\n');
    const mixed = await glm('tokenize', texts, '--tokenizer', tokenizer, '--train', 'bpe');
    assert.is(mixed.status, 0, mixed.stderr);
    assert.match(mixed.stdout, '61 documents');
  }),
);

commands.run();
