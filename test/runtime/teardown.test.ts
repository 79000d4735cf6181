/** Processes and worker threads that end with work in flight: cleanly, and with the status that JavaScript asked for. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const teardown = suite('runtime: a clean end with work in flight');
const program = path.join(import.meta.dirname, 'programs/end.ts');

async function end(way: string): Promise<{ status: number | null; signal: string | null; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', program, way], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { status, signal, output };
}

teardown('process.exit', async () => {
  const { status, signal } = await end('exit');
  assert.equal({ status, signal }, { status: 7, signal: null });
});

teardown('an uncaught error', async () => {
  const { status, signal, output } = await end('throw');
  assert.equal({ status, signal }, { status: 1, signal: null });
  assert.match(output, 'on purpose');
});

for (const way of ['finish', 'terminate', 'terminate calls', 'both']) {
  teardown(`${way}: runs to the end`, async () => {
    const { status, signal, output } = await end(way);
    assert.equal({ status, signal }, { status: 0, signal: null }, output);
    assert.match(output, 'reached the end');
  });
}

teardown('dispose: what was asked for before is an error or a result, and the process goes on', async () => {
  const { status, output } = await end('dispose');
  assert.is(status, 0, output);
  assert.match(output, 'GLM_DISPOSED');
  assert.match(output, 'reached the end');
});

teardown.run();
