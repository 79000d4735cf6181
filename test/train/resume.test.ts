/** Runs that are stopped, killed, damaged or locked out, against the run that was not. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GlmError } from '../../ts/errors.js';
import { GLM } from '../../ts/glm.js';
import { Trainer } from '../../ts/train/trainer.js';
import { withFolder } from '../support/folder.js';
import { data, lossesOf, newModel, runOptions, weightsOf } from '../support/small-run.js';

const resume = suite('training: checkpoints and resuming');
const steps = 9;

let expectedLosses = new Map<number, number>();
let expectedWeights = new Map<string, Float32Array>();

resume.before(async () => {
  using model = await newModel();
  using trainer = new Trainer(model, runOptions(undefined, steps));
  expectedLosses = await lossesOf(trainer);
  expectedWeights = await weightsOf(model);
  assert.is(expectedLosses.size, steps);
});

/** The error that a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<GlmError> {
  const error = await promise.then(
    () => assert.unreachable('expected a rejection'),
    (reason: unknown) => reason,
  );
  assert.instance(error, GlmError);
  return error as GlmError;
}

/** A finished run of `count` steps in the folder. */
async function runFor(folder: string, count: number): Promise<void> {
  using model = await newModel();
  using trainer = new Trainer(model, runOptions(folder, steps));
  for await (const event of trainer.run())
    if (event.type === 'step' && event.step === count - 1) trainer.stop();
}

async function assertRest(folder: string, from: number): Promise<void> {
  const trainer = await Trainer.resume(folder, { data });
  const losses = await lossesOf(trainer);
  assert.equal(
    [...losses],
    [...expectedLosses].filter(([step]) => step >= from),
  );
  assert.equal(await weightsOf(trainer.model), expectedWeights);
  trainer.dispose();
  trainer.model.dispose();
}

resume('stopped and resumed: the same losses and weights, to the bit', () =>
  withFolder(async (folder) => {
    await runFor(folder, 5);
    await assertRest(folder, 5);
    const lines = (await readFile(path.join(folder, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const losses = lines
      .map((line) => JSON.parse(line) as { type: string; step: number; loss: number })
      .filter(({ type }) => type === 'step')
      .map(({ step, loss }) => [step, loss]);
    assert.equal(losses, [...expectedLosses]);
  }),
);

resume('the folder is a model folder, and keeps as many checkpoints as asked for', () =>
  withFolder(async (folder) => {
    await runFor(folder, 7);
    assert.equal((await readdir(path.join(folder, 'checkpoints'))).sort(), [
      'step-00000006',
      'step-00000007',
    ]);
    using model = await GLM.load(folder);
    const trainer = await Trainer.resume(folder, { data });
    assert.equal(await weightsOf(model), await weightsOf(trainer.model));
    trainer.dispose();
    trainer.model.dispose();
  }),
);

resume('left by break, the model stays usable and run() goes on', async () => {
  using model = await newModel();
  using trainer = new Trainer(model, runOptions(undefined, steps));
  for await (const event of trainer.run()) if (event.step === 3) break;
  const rest = await lossesOf(trainer);
  assert.equal(
    [...rest],
    [...expectedLosses].filter(([step]) => step >= 4),
  );
});

resume('aborted: rejects with the reason after a checkpoint', () =>
  withFolder(async (folder) => {
    const controller = new AbortController();
    using model = await newModel();
    using trainer = new Trainer(model, { ...runOptions(folder, steps), signal: controller.signal });
    const reason = new Error('enough');
    const run = (async () => {
      for await (const event of trainer.run())
        if (event.type === 'step' && event.step === 4) controller.abort(reason);
    })();
    assert.is(await run.catch((error: unknown) => error), reason);
    await assertRest(folder, 5);
  }),
);

resume('killed at random moments: the uninterrupted losses and weights', () =>
  withFolder(async (folder) => {
    const program = path.join(import.meta.dirname, 'programs/run-or-resume.ts');
    const rounds = Number(process.env.GLM_TEST_KILLS ?? 4);
    const killed = { all: 0, insideCheckpoints: 0 };
    const start = () =>
      spawn(process.execPath, ['--import', 'tsx', program, folder, String(steps)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    for (let round = 0; round < rounds; round++) {
      await rm(folder, { recursive: true, force: true });
      let status: number | null = null;
      for (let kills = 0; status === null; kills++) {
        const child = start();
        child.stdout.resume();
        // After the first line, which says that training goes on, some time at random; the third start may finish.
        if (kills < 2) {
          void once(child.stdout, 'data').then(() =>
            setTimeout(() => child.kill('SIGKILL'), Math.random() * 150),
          );
        }
        [status] = (await once(child, 'close')) as [number | null];
        if (status !== null) break;
        killed.all++;
        const left = await readdir(path.join(folder, 'checkpoints')).catch(() => []);
        if (left.some((name) => name.endsWith('.tmp'))) killed.insideCheckpoints++;
      }
      assert.is(status, 0);
      using model = await GLM.load(folder);
      assert.equal(await weightsOf(model), expectedWeights);
      const metrics = (await readFile(path.join(folder, 'metrics.jsonl'), 'utf8')).trim().split('\n');
      const losses = metrics
        .map((line) => JSON.parse(line) as { type: string; step: number; loss: number })
        .filter(({ type }) => type === 'step');
      assert.equal(
        losses.map(({ step, loss }) => [step, loss]),
        [...expectedLosses],
      );
    }
    console.log(`    (killed ${killed.all} times, ${killed.insideCheckpoints} of them inside a checkpoint)`);
  }),
);

resume('a flipped bit: the checkpoint before it is used, with a warning', () =>
  withFolder(async (folder) => {
    await runFor(folder, 7);
    const file = path.join(folder, 'checkpoints/step-00000007/optimizer.safetensors');
    const handle = await open(file, 'r+');
    const byte = Buffer.alloc(1);
    const middle = (await stat(file)).size >> 1;
    await handle.read(byte, 0, 1, middle);
    byte.writeUInt8(byte.readUInt8() ^ 16);
    await handle.write(byte, 0, 1, middle);
    await handle.close();
    const warning = once(process, 'warning') as Promise<[Error]>;
    await assertRest(folder, 6);
    assert.match((await warning)[0].message, /optimizer\.safetensors with the checksum/);
  }),
);

resume('killed while a step was saved again: the checkpoint that was there counts', () =>
  withFolder(async (folder) => {
    await runFor(folder, 7);
    const last = path.join(folder, 'checkpoints/step-00000007');
    await rename(last, `${last}.replaced`);
    await assertRest(folder, 7);
    const left = await readdir(path.join(folder, 'checkpoints'));
    assert.equal(left.sort(), ['step-00000008', 'step-00000009']);
  }),
);

resume('all checkpoints damaged, or none: a clear error', () =>
  withFolder(async (folder) => {
    assert.is((await rejection(Trainer.resume(folder, { data }))).code, 'GLM_IO');
    await runFor(folder, 2);
    const state = path.join(folder, 'checkpoints/step-00000002/trainer.json');
    const handle = await open(state, 'w');
    await handle.writeFile('{');
    await handle.close();
    await rm(path.join(folder, 'trainer.json'));
    assert.is((await rejection(Trainer.resume(folder, { data }))).code, 'GLM_CORRUPT_FILE');
  }),
);

resume('two runs never share a folder, and a new run does not mix with an old one', () =>
  withFolder(async (folder) => {
    using model = await newModel();
    using first = new Trainer(model, runOptions(folder, steps));
    using second = new Trainer(model, runOptions(folder, steps));
    const run = first.run();
    await run.next();
    assert.is((await rejection(second.run().next())).code, 'GLM_LOCKED');
    for await (const event of run) if (event.type === 'checkpoint') break;
    assert.is((await rejection(second.run().next())).code, 'GLM_INVALID_ARGUMENT');
  }),
);

resume('a full disk: GLM_IO, and the checkpoint before stays', () =>
  withFolder(async (folder) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=700k', 'tmpfs', folder]).status === 0;
    if (!mounted) return console.log('    (needs the right to mount a small file system: not run)');
    try {
      const error = await rejection(runFor(folder, steps));
      assert.is(error.code, 'GLM_IO');
      assert.match(error.message, 'disk is full');
      const left = await readdir(path.join(folder, 'checkpoints'));
      assert.ok(
        left.every((name) => !name.endsWith('.tmp')),
        left.join(),
      );
      spawnSync('mount', ['-o', 'remount,size=20m', folder]);
      await assertRest(folder, Number(/\d+/.exec(left.sort().at(-1)!)![0]));
    } finally {
      spawnSync('umount', [folder]);
    }
  }),
);

resume('a folder that is read-only: GLM_IO', () =>
  withFolder(async (folder) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', folder]).status === 0;
    if (!mounted) return console.log('    (needs the right to mount a small file system: not run)');
    try {
      assert.is((await rejection(runFor(folder, 1))).code, 'GLM_IO');
    } finally {
      spawnSync('umount', [folder]);
    }
  }),
);

resume.run();
