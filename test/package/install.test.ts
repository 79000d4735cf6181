// The package as its users get it: `npm run prebuild`, `npm pack`, and the tarball installed into an empty folder on a
// machine without a compiler, without CMake and without a network.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = path.join(import.meta.dirname, '..', '..');
const minutes = 60_000;

interface Context {
  folder: string;
  /** The variables of a user's shell: PATH holds node and sh, nothing else. */
  environment: NodeJS.ProcessEnv;
  npm: string;
  tarball: string;
  /** The production dependencies as tarballs: what the registry would deliver. */
  dependencies: string[];
  files: string[];
}

const context = {} as Context;
const test = suite('package');

test.before(async () => {
  try {
    await prepare();
  } catch (error) {
    // uvu would drop it.
    console.error(error);
    throw error;
  }
});

test.after(async () => {
  if (context.folder) await rm(context.folder, { recursive: true, force: true });
});

async function prepare(): Promise<void> {
  context.folder = await mkdtemp(path.join(os.tmpdir(), 'glm-native-package-'));
  context.npm = process.env.npm_execpath ?? (await realpath(await which('npm')));
  const shell = await which('sh');
  const bin = path.join(context.folder, 'bin');
  await mkdir(bin);
  await symlink(process.execPath, path.join(bin, 'node'));
  await symlink(shell, path.join(bin, 'sh'));
  context.environment = {
    PATH: bin,
    HOME: context.folder,
    npm_config_cache: path.join(context.folder, 'cache'),
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };

  const packed = path.join(context.folder, 'packed');
  await mkdir(packed);
  // One architecture where nvcc is: all of them take minutes.
  await run(root, { GLM_BUILD_CUDA_ARCHITECTURES: '80', ...maintainer() }, 'run', 'prebuild');
  const { files, filename } = await pack(packed, '.');
  context.tarball = path.join(packed, filename);
  context.files = files;
  context.dependencies = [];
  for (const dependency of await productionDependencies())
    context.dependencies.push(
      path.join(packed, (await pack(packed, dependency, '--ignore-scripts')).filename),
    );
}

/** Where a command lies on this machine. */
async function which(command: string): Promise<string> {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', `command -v ${command}`]);
  return stdout.trim();
}

/** Our own variables without what a sanitizer, a coverage run or npm itself put there. */
function maintainer(): NodeJS.ProcessEnv {
  const foreign = /^(npm_|LD_PRELOAD$|NODE_OPTIONS$|NODE_V8_COVERAGE$|GLM_NATIVE_PREBUILD$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

async function run(cwd: string, env: NodeJS.ProcessEnv, ...npmArguments: string[]): Promise<string> {
  const options = { cwd, env, timeout: 10 * minutes, maxBuffer: 1 << 26 };
  return (await promisify(execFile)(process.execPath, [context.npm, ...npmArguments], options)).stdout;
}

async function node(cwd: string, ...nodeArguments: string[]): Promise<string> {
  const options = { cwd, env: context.environment, timeout: minutes };
  return (await promisify(execFile)('node', nodeArguments, options)).stdout;
}

/** Packs a folder with npm; its own build scripts may print before the JSON. */
async function pack(to: string, folder: string, ...options: string[]) {
  const output = await run(
    root,
    maintainer(),
    'pack',
    folder,
    '--json',
    '--pack-destination',
    to,
    ...options,
  );
  const json = output.slice(output.search(/^\[/m));
  const [result] = JSON.parse(json) as [{ filename: string; files: { path: string }[] }];
  return { filename: result.filename, files: result.files.map((file) => file.path) };
}

/** The folders of what a user of this package gets besides it. */
async function productionDependencies(): Promise<string[]> {
  const lock = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([folder, { dev, devOptional }]) => folder !== '' && !dev && !devOptional)
    .map(([folder]) => `./${folder}`)
    .filter((folder) => existsSync(path.join(root, folder)));
}

async function install(name: string, ...options: string[]): Promise<string> {
  const folder = path.join(context.folder, name);
  await mkdir(folder);
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ name, private: true }));
  const packages = [context.tarball, ...context.dependencies];
  await run(folder, context.environment, 'install', ...packages, '--no-audit', '--no-fund', ...options);
  await cp(path.join(import.meta.dirname, 'consumer'), folder, { recursive: true });
  return folder;
}

async function computes(folder: string, program: string): Promise<void> {
  const { device, logits, code } = JSON.parse(await node(folder, program)) as {
    device: string;
    logits: number[];
    code: string;
  };
  assert.is(device, 'cpu');
  assert.is(logits.length, 4 * 32);
  assert.ok(
    logits.every(Number.isFinite) && new Set(logits).size > 32,
    `expected logits, found ${String(logits)}`,
  );
  assert.is(code, 'GLM_IO');
}

test('holds what it needs and nothing else', () => {
  const folders = new Set(context.files.map((file) => file.split('/')[0]));
  for (const name of [
    'dist',
    'prebuilds',
    'cpp',
    'binding',
    'cmake',
    'CMakeLists.txt',
    'LICENSE',
    'package.json',
  ])
    assert.ok(folders.has(name), `expected ${name} in the package, found ${[...folders].join(', ')}`);
  for (const name of ['test', 'node_modules', 'build', 'bench', 'runs', 'tsconfig.json'])
    assert.not(folders.has(name), `expected no ${name} in the package`);
  assert.equal(
    context.files.filter((file) => /^prebuilds\/.*\.node$/.test(file)),
    [`prebuilds/${os.platform()}-${os.arch()}/glm-native.glibc.node`],
  );
});

test('is installed where there is no compiler', async () => {
  for (const command of ['cmake', 'c++', 'g++', 'gcc', 'cc', 'clang', 'make', 'ninja', 'python3']) {
    const found = promisify(execFile)('sh', ['-c', `command -v ${command}`], { env: context.environment });
    assert.is(
      await found.then(
        () => command,
        () => undefined,
      ),
      undefined,
    );
  }
  const folder = await install('with-scripts');
  const installed = path.join(folder, 'node_modules', 'glm-native');
  assert.not(
    existsSync(path.join(installed, 'build')),
    'expected the prebuilt addon to be used, found a build',
  );
  await computes(folder, 'import.mjs');
  await computes(folder, 'require.cjs');
});

test('has both commands', async () => {
  const folder = await install('commands', '--ignore-scripts');
  for (const command of ['glm-native', 'glm']) {
    const file = path.join(folder, 'node_modules', '.bin', command);
    const { stdout } = await promisify(execFile)(file, ['doctor', '--json'], { env: context.environment });
    const { devices } = JSON.parse(stdout) as { devices: { name: string; available: boolean }[] };
    assert.ok(devices.some(({ name, available }) => name === 'cpu' && available));
  }
});

test('works when npm runs no install scripts, as npm 12 does', async () => {
  const folder = await install('without-scripts', '--ignore-scripts');
  await computes(folder, 'import.mjs');
  await computes(folder, 'require.cjs');
});

test('has types for ES module and CommonJS programs', async () => {
  const folder = await install('typed', '--ignore-scripts');
  const compile = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
  const types = path.join(root, 'node_modules', '@types');
  await node(
    folder,
    path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
    ...[...compile, '--typeRoots', types, 'module.mts', 'common.cts'],
  ).catch((error: { stdout: string }) => assert.unreachable(error.stdout));
});

test.run();
