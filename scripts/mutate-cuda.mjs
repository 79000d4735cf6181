// node scripts/mutate-cuda.mjs [regex on "file: what"]
//
// Breaks CUDA kernels one place at a time, as test/cuda/mutations.json says, and runs on the simulated device what must
// notice: cases of glm_check (`check`: its --op, --shape and --type) or tests (`tests`: a regex on their path). Prints
// for each whether it was caught, and by what; the exit status is 1 when one was not. Each check is first seen to pass.
// A mutation is compiled in a copy of cuda/, and linked with the other objects of the build: nothing here changes. Where
// `file` is a header, `unit` is the source file that is compiled with it.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { globSync } from 'tinyglobby';
import { root } from './compile-native.mjs';
import { buildForSimulatedDevice, simulated, simulatedEnvironment } from './cuda-sim.mjs';

const table = JSON.parse(readFileSync(path.join(root, 'test', 'cuda', 'mutations.json'), 'utf8'));
const wanted = new RegExp(process.argv[2] ?? '');
const chosen = table.filter(({ file, what }) => wanted.test(`${file}: ${what}`));
if (chosen.length === 0) throw new Error(`expected mutations that match ${wanted}, found none`);

buildForSimulatedDevice();
const build = path.join(simulated, 'build');
const commands = JSON.parse(readFileSync(path.join(build, 'compile_commands.json'), 'utf8'));
const scratch = mkdtempSync(path.join(os.tmpdir(), 'glm-mutation-'));
mkdirSync(path.join(scratch, 'build', 'Release'), { recursive: true });
// The addon opens the library that lies beside it.
cpSync(path.join(build, 'Release', 'glm.node'), path.join(scratch, 'build', 'Release', 'glm.node'));
try {
  for (const check of new Set(chosen.map(({ check, tests }) => JSON.stringify({ check, tests })))) {
    const { status, output } = run(JSON.parse(check), simulated);
    if (status !== 0 || !/^(ok |[1-9]\d* passed)/m.test(output))
      throw new Error(`expected ${check} to pass without a mutation, found\n${output}`);
  }
  let missed = 0;
  for (const mutation of chosen) {
    buildMutated(mutation);
    const { status, output } = run(mutation, scratch);
    if (status === 0) missed++;
    console.log(`${status === 0 ? 'MISSED' : 'caught'}  ${mutation.file}: ${mutation.what}`);
    if (status !== 0) console.log(`        by ${reason(output)}`);
  }
  console.log(`${chosen.length - missed} caught, ${missed} missed`);
  process.exitCode = missed === 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true });
}

/** Leaves glm_check and, for tests, the library with the mutation in them where the build has those without. */
function buildMutated({ file, unit = file, from, to, check }) {
  cpSync(path.join(root, 'cuda'), path.join(scratch, 'cuda'), { recursive: true });
  const text = readFileSync(path.join(root, file), 'utf8');
  if (text.split(from).length !== 2)
    throw new Error(`expected "${from}" once in ${file}, found it ${text.split(from).length - 1} times`);
  writeFileSync(
    path.join(scratch, file),
    text.replace(from, () => to),
  );

  const object = path.join(scratch, 'unit.o');
  const { command } = commands.find((entry) => entry.file === path.join(root, unit));
  const [compiler, ...options] = command
    .replaceAll(path.join(root, 'cuda'), path.join(scratch, 'cuda'))
    .replace('--Werror=all-warnings', '') // what is no longer used is not the point
    .split(/\s+/);
  options[options.indexOf('-o') + 1] = object;
  execute(compiler, options);

  const link = (target, product, libraries) => {
    const folders = ['glm_cuda_kernels', target].map((name) => `CMakeFiles/${name}.dir`);
    const objects = globSync(
      folders.map((folder) => `${folder}/**/*.o`),
      { cwd: build },
    ).filter((other) => other !== `${folders[0]}/${unit}.o`);
    const out = path.join(scratch, 'build', product);
    execute('nvcc', ['-cudart', 'shared', '-o', out, object, ...objects, ...libraries]);
  };
  if (check === undefined) link('glm_cuda', 'Release/libglm_cuda.so', ['-shared']);
  link('glm_check', 'glm_check', ['libglm_core.a', '-ldl']);
}

/** Runs the check against the build that lies in `folder`. */
function run({ check, tests }, folder) {
  const runTests = path.join(root, 'scripts', 'run-tests.mjs');
  const [program, options] =
    check === undefined
      ? [process.execPath, ['--import', 'tsx', runTests, '--fail-on-skip', 'test', tests]]
      : [
          path.join(folder, 'build', 'glm_check'),
          ['--small', ...Object.entries(check).flatMap(([name, value]) => [`--${name}`, value])],
        ];
  const { status, stdout, stderr } = spawnSync(program, options, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, CUDASIM_TIMEOUT: '60', ...simulatedEnvironment, GLM_NATIVE_PREBUILD: folder },
  });
  return { status, output: stdout + stderr };
}

/** The simulator's first finding, or else what was wrong. */
function reason(output) {
  const lines = output.split('\n').map((line) => line.trim());
  const finding = lines.find((line) => line.startsWith('========= cudasim: '));
  if (finding === undefined) return lines.find((line) => line.startsWith('FAIL ')) ?? lines.at(-2);
  return finding.replace(/^\W+cudasim: /, '').replace(/void |\(anonymous namespace\)::|\w+::|\(.*/g, '');
}

function execute(command, options) {
  const { status, stderr, error } = spawnSync(command, options, { cwd: build, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
}
