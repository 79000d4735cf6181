/**
 * What the compiler made of the kernels: tensor-core kernels multiply on tensor cores, load fragments with ldmatrix and copy
 * asynchronously, and no kernel keeps anything in local memory. Read from build/Release/libglm_cuda.so by a tool of the
 * simulator, for each architecture that it was compiled for.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

interface Kernel {
  name: string;
  arch: number;
  opcodes: Record<string, number>;
}

const root = path.join(import.meta.dirname, '../..');
const library = path.join(root, 'build/Release/libglm_cuda.so');
const tool = path.join(process.env.GLM_NATIVE_PREBUILD ?? '', 'cudasim/tools/sasscheck');

/** What runs on tensor cores: its part of a mangled name, and how many kernels of it each architecture has. */
const onTensorCores: Record<string, number> = {
  multiply_tilesINS0_14TensorCoreTile: 12,
  '7ForwardILi': 4,
  '15BackwardQueriesILi': 4,
  '12BackwardKeysILi': 4,
};

const machineCode = suite('CUDA, machine code');

if (!existsSync(tool)) {
  machineCode.skip('it is read on the simulated device: npm run test:cuda-sim');
} else if (!existsSync(library)) {
  machineCode.skip(`expected ${library}, found none; run npm run compile:native with nvcc on PATH`);
} else {
  const { stdout, stderr, error } = spawnSync('python3', [tool, library], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  machineCode('can be read', () => {
    assert.ok(stdout, error?.message ?? stderr);
  });
  const { kernels } = JSON.parse(stdout || '{"kernels":[]}') as { kernels: Kernel[] };
  const architectures = new Set(kernels.map(({ arch }) => arch));

  machineCode('keeps nothing in local memory', () => {
    const local = kernels.filter(({ opcodes }) => opcodes.LDL !== undefined || opcodes.STL !== undefined);
    assert.equal(
      local.map(({ name, arch }) => `${name} on sm_${arch}`),
      [],
    );
  });

  for (const [pattern, count] of Object.entries(onTensorCores)) {
    machineCode(`${pattern}: tensor cores, ldmatrix, asynchronous copies`, () => {
      const found = kernels.filter(({ name }) => new RegExp(pattern).test(name));
      assert.is(found.length, count * architectures.size);
      for (const { name, arch, opcodes } of found) {
        for (const needed of ['HMMA', 'LDSM', 'LDGSTS'])
          assert.ok((opcodes[needed] ?? 0) > 0, `${name} on sm_${arch} has no ${needed}`);
      }
    });
  }
}
machineCode.run();
