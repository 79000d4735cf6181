/** The check program on the simulated device: every kernel beside the CPU's, under several schedules. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { withFolder } from '../support/folder.js';
import { missing, runProgram } from './program.js';

const program = suite('glm_check');

if (missing !== undefined) {
  program.skip(`finds every kernel right: ${missing}`);
} else {
  program('finds every kernel right, and writes a line for each shape', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'gpu.csv');
      const output = runProgram(['--small', '--csv', file]);
      const lines = (await readFile(file, 'utf8')).trim().split('\n');
      assert.is(
        lines[0],
        'device,op,shape,type,error,microseconds,bytes,operations,of_memory,of_compute,of_roofline',
      );
      assert.is(lines.length - 1, output.match(/^ok /gm)?.length);
      assert.ok(lines.length > 100);
      for (const line of lines.slice(1)) assert.match(line, /^"[^"]+"(,[^,]+){10}$/);
    });
  });

  program('says what it takes', () => {
    assert.throws(() => runProgram(['--smal']), /expected \[--small\].*found --smal/s);
  });

  // Shapes of one and of several tiles; with a depth in parts, remainders, and every epilogue.
  const schedules = 20;
  for (const [op, shape] of [
    ['linear', '17x33x64'],
    ['linear', '66x72x64 activation residual dropout'],
    ['linear', '65x1024x8'],
    ['linear', '3x7x17'],
    ['attention', '33/20+1/1+70/0 1x64 dropout rotary'],
    ['cross entropy', '17x33x64'],
  ] as const) {
    program(`${op} ${shape} under ${schedules} schedules`, () => {
      for (let seed = 2; seed < 2 + schedules; seed++)
        runProgram(['--small', '--op', op, '--shape', shape], { CUDASIM_SEED: String(seed) });
    });
  }
}
program.run();
