// The CUDA kernels without a GPU: the addon, libglm_cuda.so and glm_check for a simulated device, in build-cuda-sim/, and
// the simulator beside them. Needs nvcc. GLM_CUDA_SIMULATOR names the simulator's source folder; unless told, it is
// shared/cudasim beside the checkout.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkedInstructionSet } from './checking-build.mjs';
import { compileNative, root } from './compile-native.mjs';

/** CMake builds in `build` there. */
export const simulated = path.join(root, 'build-cuda-sim');

/** Builds what is not up to date; ends the process with a reason when that fails. */
export function buildForSimulatedDevice() {
  const simulator = process.env.GLM_CUDA_SIMULATOR ?? path.join(root, '..', 'shared', 'cudasim');
  if (!existsSync(path.join(simulator, 'Makefile'))) {
    console.error(
      `expected the simulator's sources in ${simulator}, found none; set GLM_CUDA_SIMULATOR to their folder`,
    );
    process.exit(1);
  }
  // Its own folder may be read-only, and make builds beside the sources.
  const copy = path.join(simulated, 'cudasim');
  cpSync(simulator, copy, {
    recursive: true,
    preserveTimestamps: true,
    filter: (file) => path.relative(simulator, file) !== 'build',
  });
  const { status } = spawnSync('make', ['-C', copy, `-j${os.availableParallelism()}`], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  compileNative({ out: path.join(simulated, 'build'), options: { GLM_CUDA: 'ON', GLM_CUDA_SIM: 'ON' } });
}

/** With it, tests and glm_check run on the simulated device. */
export const simulatedEnvironment = {
  // With more, a block may start on what a later one of the same launch left in the race checker's records of
  // shared memory, when the machine is busy: a race between two blocks' shared memory is then reported.
  CUDASIM_THREADS: '1',
  GLM_INSTRUCTION_SET: checkedInstructionSet,
  GLM_NATIVE_PREBUILD: simulated,
  GLM_TEST_DEVICES: 'cuda',
  LD_LIBRARY_PATH: path.join(simulated, 'cudasim', 'build'),
};
