/**
 * GPUs that cannot be used, have too little memory or fail: each gives its reason, and the process lives on. Processes of
 * their own do it on the simulated device, in environments of their own.
 */

import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { withFolder } from '../support/folder.js';

const cuda = suite('runtime: CUDA');
const programs = path.join(import.meta.dirname, 'programs');
const simulated = process.env.GLM_TEST_DEVICES === 'cuda' && process.env.GLM_NATIVE_PREBUILD !== undefined;

function run(way: string, environment: Record<string, string> = {}): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', path.join(programs, 'gpu.ts'), way],
    { encoding: 'utf8', env: { ...process.env, ...environment } },
  );
  assert.is(status, 0, stderr);
  assert.match(stdout, 'reached the end', stderr);
  return stdout;
}

/** With the driver or the number of GPUs that the environment says. */
function withOtherDriver(way: string, environment: Record<string, string>): Promise<string> {
  return withFolder((folder) => {
    const library = path.join(folder, 'other_driver.so');
    const source = path.join(programs, 'other_driver.cpp');
    const compiled = spawnSync(
      'nvcc',
      ['-shared', '-cudart', 'none', '-Xcompiler', '-fPIC', '-o', library, source, '-ldl'],
      { encoding: 'utf8' },
    );
    assert.is(compiled.status, 0, compiled.stderr);
    return Promise.resolve(run(way, { ...environment, LD_PRELOAD: library }));
  });
}

const unusable: [name: string, () => string | Promise<string>, RegExp][] = [
  ['no library', () => run('list', { GLM_CUDA_LIBRARY: path.join(os.tmpdir(), 'none.so') }), /could not be opened/],
  ['a GPU before Ampere', () => run('list', { CUDASIM_ARCH: '75' }), /compute capability is 7\.5; 8\.0 \(Ampere\)/],
  ['no driver', () => withOtherDriver('list', { DRIVER_VERSION: '0' }), /no NVIDIA driver was found; .*580 or later/],
  ['an old driver', () => withOtherDriver('list', { DRIVER_VERSION: '12040' }), /too old: it is for CUDA 12\.4;.*13\.0 or later/],
  ['no GPU', () => withOtherDriver('list', { GPUS: '0' }), /finds no GPU; look at nvidia-smi/],
]; // prettier-ignore

if (simulated) {
  for (const [name, list, reason] of unusable) {
    cuda(`${name}: the reason is said, and auto is the CPU`, async () => {
      const output = await list();
      assert.match(output, /^cpu true undefined$/m);
      assert.match(output, new RegExp(`^cuda:0 false .*${reason.source}`, 'm'));
      assert.match(output, /^auto is cpu$/m);
      assert.match(output, new RegExp(`^GLM_CUDA_UNAVAILABLE .*${reason.source}`, 'm'));
    });
  }

  cuda('too little memory: the sizes are said, the device goes on, and auto takes the CPU', () => {
    const output = run('memory', { CUDASIM_MEMORY: '0.25' });
    const sizes =
      /^GLM_OUT_OF_MEMORY expected 1073741824 free bytes of cuda:0 \(\d+ of its 268435456 bytes are free\)/m;
    assert.match(output, sizes);
    assert.match(output, /^and then 123$/m);
    assert.is(output.match(/^GLM_OUT_OF_MEMORY /gm)?.length, 2);
    assert.match(output, /^warning: computing on the CPU: expected \d+ free bytes of cuda:0/m);
    assert.match(output, /^auto is cpu$/m);
  });

  cuda('a fault in a kernel ends what is on its device and nothing else', async () => {
    const output = await withOtherDriver('fault', { FAULT: '1' });
    assert.match(output, /^GLM_CUDA CUDA failed in [^\n]*cudaErrorIllegalAddress/m);
    const dead =
      /expected cuda:0 to be usable, found that a fault has ended what was on it: .*; create or load/;
    assert.match(output, new RegExp(`^again:\nGLM_CUDA ${dead.source}`, 'm'));
    assert.match(output, new RegExp(`^another model:\nGLM_CUDA ${dead.source}`, 'm'));
    assert.match(output, /^the CPU: 123$/m);
    assert.match(output, /^opened anew: 123$/m);
  });

  cuda('two GPUs at a time: work goes to the streams of its own', async () => {
    assert.match(
      await withOtherDriver('two', { GPUS: '2' }),
      /^devices cuda:0,cuda:1 read 123,123,123,123$/m,
    );
  });
} else {
  cuda.skip('GPUs that cannot be used (without the simulated device: npm run test:cuda-sim)');
}

cuda.run();
