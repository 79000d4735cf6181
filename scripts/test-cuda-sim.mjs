// node scripts/test-cuda-sim.mjs [--schedules N] [folder or file] [regex]
//
// Runs tests against the CUDA kernels without a GPU: builds the addon and libglm_cuda.so for a simulated device in
// build-cuda-sim/, the simulator beside them, and puts the simulator in the place of the CUDA runtime. Needs nvcc.
// Unless told which, it runs `onDevice` below. GLM_CUDA_SIMULATOR names the simulator's source folder; unless told, it
// is shared/cudasim beside the checkout. The CPU is left out of the tests' devices, and a skipped test is a failure.
// --schedules N: once under each of N random orders of blocks, warps and lanes.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { checkedInstructionSet } from './checking-build.mjs';
import { compileNative, root } from './compile-native.mjs';

/** The tests that compute on a GPU where there is one, and take minutes on a simulated one. */
const onDevice = [
  'checkpoint/float16',
  'cuda',
  'generate/fill',
  'model/(decisions|golden)',
  'ops',
  'runtime/(cuda|devices)',
  'train/golden',
];

const simulator = process.env.GLM_CUDA_SIMULATOR ?? path.join(root, '..', 'shared', 'cudasim');
if (!existsSync(path.join(simulator, 'Makefile'))) {
  console.error(
    `expected the simulator's sources in ${simulator}, found none; set GLM_CUDA_SIMULATOR to their folder`,
  );
  process.exit(1);
}

const folder = path.join(root, 'build-cuda-sim');
// Its own folder may be read-only, and make builds beside the sources.
const copy = path.join(folder, 'cudasim');
cpSync(simulator, copy, {
  recursive: true,
  preserveTimestamps: true,
  filter: (file) => path.relative(simulator, file) !== 'build',
});
run('make', ['-C', copy, `-j${os.availableParallelism()}`]);
compileNative({ out: path.join(folder, 'build'), options: { GLM_CUDA: 'ON', GLM_CUDA_SIM: 'ON' } });

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { schedules: { type: 'string', default: '1' } },
});
const which = positionals.length > 0 ? positionals : ['test', `^(${onDevice.join('|')})`];
const runTests = path.join(root, 'scripts', 'run-tests.mjs');
for (let schedule = 1; schedule <= Number(flags.schedules); schedule++) {
  run(process.execPath, ['--import', 'tsx', runTests, '--fail-on-skip', ...which], {
    CUDASIM_SEED: String(schedule),
    // With more, a block may start on what a later one of the same launch left in the race checker's records of
    // shared memory, when the machine is busy: a race between two blocks' shared memory is then reported.
    CUDASIM_THREADS: '1',
    GLM_INSTRUCTION_SET: checkedInstructionSet,
    GLM_NATIVE_PREBUILD: folder,
    GLM_TEST_DEVICES: 'cuda',
    LD_LIBRARY_PATH: path.join(copy, 'build'),
  });
}

function run(command, args, environment = {}) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  if (status !== 0) process.exit(status ?? 1);
}
