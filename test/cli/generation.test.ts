/** `glm fill`, `glm generate` and `glm choose`, as commands. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { textModel } from '../generate/text-model.js';

const main = fileURLToPath(new URL('../../ts/cli/main.ts', import.meta.url));
const commands = suite('cli: fill, generate, choose');
let folder = '';

commands.before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'glm-cli-'));
  using model = await textModel('bpe');
  await model.save(folder);
});
commands.after(() => rm(folder, { recursive: true }));

interface Finished {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command; interrupts it at its first output if that is wanted. */
function glm(words: string[], input = '', interrupt = false): Promise<Finished> {
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...words]);
  const finished: Finished = { status: null, stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (finished.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (finished.stderr += data.toString()));
  child.stdin.on('error', () => {}).end(input);
  if (interrupt) child.stdout.once('data', () => child.kill('SIGINT'));
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ ...finished, status }));
  });
}

commands('fill: a text, lines of standard input, lines of a file', async () => {
  const options = ['--max-tokens', '6', '--min-tokens', '6', '--temperature', '3', '--seed', '5'];
  using model = await textModel('bpe');
  const text = 'The [MASK] was [MASK].';
  const expected = await model.fill(text, { maxTokens: 6, minTokens: 6, temperature: 3, seed: 5 });
  const file = path.join(folder, 'lines.txt');
  await writeFile(file, `${text}\n\n${text}\n`);

  const [one, lines, fromFile, streamed] = await Promise.all([
    glm(['fill', folder, text, '--json', ...options]),
    glm(['fill', folder, '--json', ...options], `${text}\n${text}\n`),
    glm(['fill', folder, '--file', file, ...options]),
    glm(['fill', folder, text, '--stream', ...options]),
  ]);
  assert.is(one.status, 0, one.stderr);
  assert.is(one.stderr, '', 'progress is for terminals');
  const result = JSON.parse(one.stdout) as { text: string; blanks: { text: string; ids: number[] }[] };
  assert.is(result.text, expected.text);
  assert.equal(
    result.blanks.map(({ ids }) => ids),
    expected.blanks.map(({ ids }) => [...ids]),
  );
  assert.equal(JSON.parse(lines.stdout), [result, result]);
  assert.is(fromFile.stdout, `${expected.text}\n${expected.text}\n`);
  assert.is(streamed.stdout, expected.blanks.map((blank, i) => `${i + 1}: ${blank.text}\n`).join(''));
});

commands('generate goes on where the text ends; choose ranks', async () => {
  const [whole, streamed, chosen] = await Promise.all([
    glm(['generate', folder, 'The', 'river', '--max-tokens', '8', '--min-tokens', '8']),
    glm(['generate', folder, 'The river', '--max-tokens', '8', '--min-tokens', '8', '--stream']),
    glm(['choose', folder, 'The [MASK].', '--json', '--choices', ' river', ' road', ' village']),
  ]);
  assert.is(whole.status, 0, whole.stderr);
  assert.ok(whole.stdout.startsWith('The river'));
  assert.is(streamed.stdout, whole.stdout);
  const { choices } = JSON.parse(chosen.stdout) as { choices: { choice: string; score: number }[] };
  assert.is(choices.length, 3);
  assert.ok(choices[0]!.score >= choices[1]!.score && choices[1]!.score >= choices[2]!.score);
});

commands('a reader who has enough, as head, ends the command without a complaint', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', main, 'fill', folder, '--max-tokens', '2']);
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  child.stdin.on('error', () => {}).end('The [MASK].\n'.repeat(3000));
  child.stdout.once('data', () => child.stdout.destroy());
  const [status] = (await once(child, 'close')) as [number | null];
  assert.is(status, 0, stderr);
  assert.is(stderr, '');
});

const typing = 'fill on a terminal: texts are filled as they are typed, Ctrl-C stops one, Ctrl-D ends';
const hasTerminals = spawnSync('script', ['--version']).status === 0;
if (hasTerminals || process.env.CI === 'true') commands(typing, typeTexts);
else commands.skip(`${typing}: script(1) is not installed`);

/** On a terminal that script(1) makes. */
async function typeTexts(): Promise<void> {
  const long = ['--max-tokens', '250', '--min-tokens', '250', '--temperature', '3', '--seed', '1'];
  const words = [process.execPath, '--import', 'tsx', main, 'fill', folder, ...long];
  const child = spawn('script', ['--quiet', '--return', '--command', words.join(' '), '/dev/null']);
  let shown = '';
  child.stdout.on('data', (data: Buffer) => (shown += data.toString()));
  const shows = async (text: string, from = 0) => {
    while (!shown.includes(text, from)) {
      assert.is(child.exitCode, null, shown);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return shown.indexOf(text, from);
  };
  await shows('Ctrl-D ends');
  const typed = shown.length;
  child.stdin.write('The [MASK] rose [MASK].\n');
  const first = await shows('\n1: ', typed);
  child.stdin.write('\x03');
  const prompt = await shows('> ', first);
  assert.not.ok(shown.slice(first, prompt).includes('\n2: '), 'it goes on to the second blank');
  child.stdin.write('Nobody\n');
  const second = await shows('\n1: ', prompt);
  await shows('> ', second);
  child.stdin.write('\x04');
  const [status] = (await once(child, 'close')) as [number | null];
  assert.is(status, 0, shown);
}

commands('wrong usage ends with 2, failure with 1, an interrupt with 130', async () => {
  const [usage, both, missing, interrupted] = await Promise.all([
    glm(['fill', folder, 'a [MASK]', '--top-k', 'many']),
    glm(['fill', folder, 'a [MASK]', '--stream', '--json']),
    glm(['fill', path.join(folder, 'nowhere'), 'a [MASK]', '--json']),
    glm(['generate', folder, '--stream', '--min-tokens', '200'], 'a\n'.repeat(2000), true),
  ]);
  assert.is(usage.status, 2);
  assert.is(both.status, 2);
  assert.is(missing.status, 1);
  assert.is((JSON.parse(missing.stdout) as { error: { code: string } }).error.code, 'GLM_IO');
  assert.is(interrupted.status, 130, interrupted.stderr);
});

commands.run();
