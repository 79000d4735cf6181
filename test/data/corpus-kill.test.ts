/** Tokenizing that is killed at any moment, and goes on. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { TokenFolder } from '../../ts/data/corpus/token-folder.js';
import { withFolder } from '../support/folder.js';
import { TestRandom } from '../support/random.js';
import { makeTexts, makeTokenizer, tokenizeInto } from './corpus-fixtures.js';

const killing = suite('corpus: killed');
const child = fileURLToPath(new URL('./corpus-kill-child.ts', import.meta.url));
/** How often it is killed; a longer run asks for more. */
const kills = Number(process.env['KILLS'] ?? 5);

function start(folder: string, file: string, vocabulary: string): ChildProcess {
  const options = { stdio: ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'] };
  return spawn(process.execPath, ['--import', 'tsx', child, folder, file, vocabulary], options);
}

/** Resolves when the child has written so many dots. */
function dots(running: ChildProcess, wanted: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    running.stdout!.on('data', (chunk: Buffer) => {
      seen += chunk.length;
      if (seen > wanted) resolve();
    });
  });
}

async function bytesOf(folder: string): Promise<string> {
  const files = await Promise.all(
    ['tokens.bin', 'documents.bin'].map((name) => readFile(path.join(folder, name))),
  );
  return Buffer.concat(files).toString('latin1');
}

killing('with SIGKILL at random moments, it ends with the bytes of an uninterrupted run', () =>
  withFolder(async (dir) => {
    const vocabulary = path.join(dir, 'tokenizer');
    const tokenizer = await makeTokenizer(vocabulary);
    const random = new TestRandom(7);
    const file = path.join(dir, 'text.txt');
    await writeFile(file, makeTexts(2500, 800, random).join('\n\n'));
    const whole = path.join(dir, 'whole');
    const manifest = await tokenizeInto(whole, [file], { tokenizer, workers: 1 });

    const folder = path.join(dir, 'killed');
    let wentOn = 0;
    for (let killed = 0; killed < kills;) {
      const before = await new TokenFolder(folder).readProgress();
      const running = start(folder, file, vocabulary);
      const ended = once(running, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
      // From before the worker threads have started to well into the parts, and at any moment between two of them.
      await Promise.race([dots(running, Math.floor(random.uniform() ** 2 * 50)), ended]);
      await wait(random.uniform() * 30);
      running.kill('SIGKILL');
      const [status, signal] = await ended;
      if (signal === 'SIGKILL') killed++;
      else assert.is(status, 0);
      const after = await new TokenFolder(folder).readProgress();
      if (before !== undefined && after !== undefined && after.written.tokens > before.written.tokens)
        wentOn++;
      if ((await new TokenFolder(folder).readManifest()) === undefined) continue;
      assert.is(await bytesOf(folder), await bytesOf(whole));
      await rm(folder, { recursive: true });
    }
    const resumed = await tokenizeInto(folder, [file], { tokenizer, workers: 2, partBytes: 20_000 });
    assert.equal(resumed, manifest);
    assert.is(await bytesOf(folder), await bytesOf(whole));
    assert.ok(wentOn > 0, 'no run got further than the one before');
    console.log(`    killed ${kills} times, went on ${wentOn} times from what another had left`);
  }),
);

killing('what the files lost since is done again, and what they have too much is cut off', () =>
  withFolder(async (dir) => {
    const tokenizer = await makeTokenizer(path.join(dir, 'tokenizer'));
    const file = path.join(dir, 'text.txt');
    await writeFile(file, makeTexts(200, 500, new TestRandom(8)).join('\n\n'));
    const whole = path.join(dir, 'whole');
    await tokenizeInto(whole, [file], { tokenizer });
    const damages: ((tokens: string, documents: string) => Promise<void>)[] = [
      async (tokens) => truncate(tokens, (await stat(tokens)).size - 2),
      async (_, documents) => truncate(documents, 17),
      async (tokens) => {
        const bytes = await readFile(tokens);
        bytes[5]! ^= 1;
        await writeFile(tokens, bytes);
      },
      async (tokens, documents) => {
        await writeFile(tokens, 'too much', { flag: 'a' });
        await writeFile(documents, 'too much', { flag: 'a' });
      },
      async (tokens) => rm(tokens),
      async (tokens) => writeFile(path.join(path.dirname(tokens), 'progress.json'), '{"next":'),
    ];
    for (const damage of damages) {
      const folder = path.join(dir, 'damaged');
      const controller = new AbortController();
      let parts = 0;
      await tokenizeInto(folder, [file], {
        tokenizer,
        partBytes: 10_000,
        signal: controller.signal,
        onProgress: () => void (++parts === 4 && controller.abort(new Error('enough'))),
      }).then(
        () => assert.unreachable('it was aborted'),
        (error: Error) => assert.is(error.message, 'enough'),
      );
      await damage(path.join(folder, 'tokens.bin'), path.join(folder, 'documents.bin'));
      await tokenizeInto(folder, [file], { tokenizer, partBytes: 10_000 });
      assert.is(await bytesOf(folder), await bytesOf(whole));
      await rm(folder, { recursive: true });
    }
  }),
);

killing.run();
