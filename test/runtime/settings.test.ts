/** What the environment asks for. */

import { spawnSync } from 'node:child_process';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const settings = suite('runtime: settings');

function openedWith(threads: string): string {
  const program =
    "const { native } = await import('./ts/native.ts');" +
    'try { console.log(new native.NativeDevice({}).threads) } catch ({ code, message }) { console.log(code, message) }';
  const { stdout } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--eval', program, '--input-type=module'],
    {
      env: { ...process.env, GLM_THREADS: threads },
      encoding: 'utf8',
    },
  );
  return stdout.trim();
}

settings('GLM_THREADS is a whole number or an error', () => {
  assert.is(openedWith('3'), '3');
  for (const wrong of ['3x', '0', '-1', ' ', '99999999999'])
    assert.match(openedWith(wrong), /^GLM_INVALID_ARGUMENT expected the environment's GLM_THREADS/, wrong);
});

settings.run();
