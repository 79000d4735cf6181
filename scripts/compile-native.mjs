// Builds glm.node (and libglm_cuda.so where nvcc is) with cmake-js: `node scripts/compile-native.mjs`.
// Only what changed is compiled again. GLM_BUILD_CUDA=OFF|ON|AUTO and GLM_BUILD_CUDA_ARCHITECTURES="80-real;90" in the
// environment become the CMake options of those names.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
export const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Configures and builds into `out`; the addon is then `<out>/Release/glm.node`. `options` are CMake cache entries.
 * Throws when a compiler or a package is missing, or the build fails.
 */
export function compileNative({ out = path.join(root, 'build'), arch, options = {} } = {}) {
  const cmakeJs = locateCmakeJs();
  const definitions = { ...fromEnvironment(), ...options };
  const common = [
    '--out',
    out,
    '--config',
    'Release',
    '--log-level',
    'warn',
    ...(arch ? ['--arch', arch] : []),
  ];
  const run = (command, args) =>
    spawnSync(process.execPath, [cmakeJs, command, ...common, ...args], { cwd: root, stdio: 'inherit' })
      .status === 0;

  const configure = () =>
    run(
      'configure',
      Object.entries(definitions).map(([name, value]) => `--CD${name}=${value}`),
    );
  // A folder that was configured for another generator, compiler or place cannot be configured again: start it afresh.
  const configuredBefore = existsSync(path.join(out, 'CMakeCache.txt'));
  if (!configure()) {
    if (configuredBefore) rmSync(out, { recursive: true, force: true });
    if (!configuredBefore || !configure())
      throw new Error('glm-native: CMake could not configure the native build; its reason is above');
  }
  if (!run('build', ['--parallel', String(os.availableParallelism())]))
    throw new Error('glm-native: the native build failed; the messages of the compiler are above');
}

function fromEnvironment() {
  const definitions = { GLM_CUDA_ARCHITECTURES: '80' }; // said each time, because a folder keeps what it was told last
  const { GLM_BUILD_CUDA, GLM_BUILD_CUDA_ARCHITECTURES } = process.env;
  if (GLM_BUILD_CUDA) definitions.GLM_CUDA = GLM_BUILD_CUDA;
  if (GLM_BUILD_CUDA_ARCHITECTURES) definitions.GLM_CUDA_ARCHITECTURES = GLM_BUILD_CUDA_ARCHITECTURES;
  return definitions;
}

function locateCmakeJs() {
  try {
    require.resolve('node-addon-api');
    return path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  } catch {
    throw new Error(
      'glm-native: building from source needs CMake, a C++20 compiler, and the packages cmake-js and node-addon-api.\n' +
        'Run `npm install cmake-js node-addon-api`, then `npm rebuild glm-native`.',
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    compileNative();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
