// node scripts/test-cuda-sim.mjs [--schedules N] [folder or file] [regex]
//
// Runs tests against the CUDA kernels without a GPU, on a simulated one (cuda-sim.mjs), which takes the place of the CUDA
// runtime. Unless told which, it runs `onDevice` below. The CPU is left out of the tests' devices, and a skipped test is
// a failure.
// --schedules N: once under each of N random orders of blocks, warps and lanes.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './compile-native.mjs';
import { buildForSimulatedDevice, simulatedEnvironment } from './cuda-sim.mjs';

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

buildForSimulatedDevice();
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { schedules: { type: 'string', default: '1' } },
});
const which = positionals.length > 0 ? positionals : ['test', `^(${onDevice.join('|')})`];
const runTests = path.join(root, 'scripts', 'run-tests.mjs');
for (let schedule = 1; schedule <= Number(flags.schedules); schedule++) {
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', runTests, '--fail-on-skip', ...which], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...simulatedEnvironment, CUDASIM_SEED: String(schedule) },
  });
  if (status !== 0) process.exit(status ?? 1);
}
