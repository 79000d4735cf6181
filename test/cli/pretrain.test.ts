/** `glm pretrain` from text to a model, interrupted and resumed, and `glm report` of what it left. */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { withFolder } from '../support/folder.js';
import { glm, start } from './command.js';
import { textAndModel } from './text.js';

const pretrain = suite('command line: pretrain, report');

interface Event {
  type: string;
  step: number;
  loss: number;
}

async function eventsOf(run: string): Promise<Event[]> {
  const lines = (await readFile(path.join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Event);
}

async function lossesOf(run: string): Promise<number[][]> {
  const events = await eventsOf(run);
  return events.filter(({ type }) => type === 'step').map(({ step, loss }) => [step, loss]);
}

/** Of a tiny model. An option that is given again replaces these. */
async function tinyRun(folder: string): Promise<string[]> {
  const { texts, config } = await textAndModel(folder);
  return [texts, '--recipe', 'glm-doc-base', '--model', config, '--vocab-size', '600', '--validation', '0.1', '--batch-size', '4', '--accumulate', '1', '--threads', '1', '--seed', '3', '--learning-rate', '0.002', '--warmup', '2']; // prettier-ignore
}

pretrain('a run, its JSON, and its report', () =>
  withFolder(async (folder) => {
    const args = await tinyRun(folder);
    const run = path.join(folder, 'run');
    const done = await glm('pretrain', ...args, '--out', run, '--steps', '8', '--evaluate-every', '4', '--json'); // prettier-ignore
    assert.is(done.status, 0, done.stderr);
    assert.equal(JSON.parse(done.stdout), { folder: run, step: 8, skipped: 0 });
    assert.match(done.stderr, /^step 4: held-out loss \d/m);
    const events = await eventsOf(run);
    assert.equal(
      events.filter(({ type }) => type !== 'step').map(({ type, step }) => [type, step]),
      [
        ['samples', 0],
        ['evaluation', 4],
        ['samples', 4],
        ['evaluation', 8],
        ['samples', 8],
        ['done', 8],
      ],
    );
    const file = path.join(folder, 'out.html');
    const report = await glm('report', run, '--out', file, '--json');
    assert.is(report.status, 0, report.stderr);
    const found = JSON.parse(report.stdout) as { file: string; runs: { state: string; steps: number }[] };
    assert.is(found.file, file);
    assert.equal([found.runs[0]?.state, found.runs[0]?.steps], ['finished', 8]);
    const html = await readFile(file, 'utf8');
    for (const id of ['loss', 'learning-rate', 'throughput', 'gradient-norm', 'fills', 'examples'])
      assert.ok(html.includes(`id="${id}"`), id);

    const plain = await glm('report', run);
    assert.is(plain.status, 0);
    assert.match(plain.stdout, `written: ${path.join(run, 'report.html')}`);
    const again = await glm('pretrain', ...args, '--out', run);
    assert.is(again.status, 2);
    assert.match(again.stderr, /to hold no run, found one; add --resume/);
  }),
);

pretrain('interrupted once: saves, status 130; resumed: the losses of a run that was not', () =>
  withFolder(async (folder) => {
    const args = await tinyRun(folder);
    const run = path.join(folder, 'interrupted');
    const running = start('pretrain', ...args, '--out', run, '--steps', '5000', '--evaluate-every', '10');
    await running.said('step 10 of 5000');
    running.child.kill('SIGINT');
    const { status, stderr } = await running.outcome;
    assert.is(status, 130, stderr);
    assert.match(stderr, /finishing the step and saving; once more ends at once/);
    const [name = ''] = await readdir(path.join(run, 'checkpoints'));
    const step = Number(name.replace('step-', ''));
    assert.ok(step >= 10 && step < 5000, name);
    assert.is((await eventsOf(run)).at(-1)?.type, 'done');

    const more = step + 5;
    const resumed = await glm('pretrain', '--resume', '--out', run, '--steps', String(more), '--json');
    assert.is(resumed.status, 0, resumed.stderr);
    assert.is((JSON.parse(resumed.stdout) as Event).step, more);

    // The learning rate's schedule is that of 5000 steps: stopped by another number of steps, it would be another run.
    const whole = start('pretrain', ...args, '--out', path.join(folder, 'whole'), '--steps', '5000', '--evaluate-every', '10'); // prettier-ignore
    await whole.said(`step ${Math.ceil(more / 10) * 10} of 5000`);
    whole.child.kill('SIGINT');
    await whole.outcome;
    const expected = await lossesOf(path.join(folder, 'whole'));
    assert.equal(await lossesOf(run), expected.slice(0, more));
  }),
);

pretrain('interrupted twice: ends at once with status 130, and can be started again', () =>
  withFolder(async (folder) => {
    const args = await tinyRun(folder);
    const run = path.join(folder, 'run');
    // One step of several minutes.
    const slow = [...args, '--out', run, '--accumulate', '200000', '--steps', '2'];
    const running = start('pretrain', ...slow);
    while (!existsSync(path.join(run, 'pretrain.json'))) {
      assert.is(running.child.exitCode, null);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    running.child.kill('SIGINT');
    await running.said('finishing the step and saving');
    const asked = performance.now();
    running.child.kill('SIGINT');
    const { status } = await running.outcome;
    assert.is(status, 130);
    assert.ok(performance.now() - asked < 5000, `took ${performance.now() - asked} ms`);
    assert.not.ok(existsSync(path.join(run, 'checkpoints')));
    const next = await glm('pretrain', ...args, '--out', run, '--steps', '1', '--json');
    assert.is(next.status, 0, next.stderr);
  }),
);

pretrain.run();
