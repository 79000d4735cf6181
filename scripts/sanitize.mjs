// node scripts/sanitize.mjs address,undefined|thread [folder or file] [regex]
//
// Builds the addon with these sanitizers in build-<name>/ and runs the tests against it. The arguments after the first
// go to scripts/run-tests.mjs. GLM_SANITIZER=<name> tells a test that it runs some ten times slower.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkedInstructionSet } from './checking-build.mjs';
import { compileNative, root } from './compile-native.mjs';

const [sanitizers, ...testArguments] = process.argv.slice(2);
const name = sanitizers?.split(',')[0];
const folder = path.join(root, `build-${name}`);
const reports = path.join(folder, 'reports');
const known = {
  'address,undefined': {
    runtime: 'libasan.so',
    // Node does not free everything at exit; LeakSanitizer would report each of those.
    environment: { ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' },
  },
  thread: {
    runtime: 'libtsan.so',
    // Its findings are judged afterwards: most are about node, whose atomics it cannot see.
    environment: {
      TSAN_OPTIONS: `suppressions=${path.join(root, 'tsan.supp')}:exitcode=0:log_path=${path.join(reports, 'tsan')}`,
    },
  },
};
const sanitizer = known[sanitizers];
if (!sanitizer) {
  console.error(`expected ${Object.keys(known).join(' or ')}, found ${sanitizers}`);
  process.exit(2);
}

compileNative({ out: path.join(folder, 'build'), options: { GLM_SANITIZE: sanitizers, GLM_CUDA: 'OFF' } });
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports);

const runTests = ['--import', 'tsx', path.join(root, 'scripts', 'run-tests.mjs'), ...testArguments];
const [command, commandArguments] = withFixedAddresses([process.execPath, ...runTests]);
const { status, signal } = spawnSync(command, commandArguments, {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    ...sanitizer.environment,
    // The runtime must come before everything else in a process that node, not we, started.
    LD_PRELOAD: execFileSync('g++', [`-print-file-name=${sanitizer.runtime}`], { encoding: 'utf8' }).trim(),
    // Where node-gyp-build looks for build/Release/glm.node.
    GLM_NATIVE_PREBUILD: folder,
    GLM_SANITIZER: name,
    TEST_TIME_LIMIT: process.env.TEST_TIME_LIMIT ?? '900',
    GLM_INSTRUCTION_SET: checkedInstructionSet,
  },
});
const ours = readdirSync(reports)
  .flatMap((file) => readFileSync(path.join(reports, file), 'utf8').split(/^={18}\n/m))
  .filter(isOurs);
for (const report of ours) console.error(withLineNumbers(report));
if (signal) console.error(`the tests were ended by ${signal}`);
if (name === 'thread') console.log(`thread sanitizer: ${ours.length} reports about this package`);
process.exitCode = status || (signal || ours.length > 0 ? 1 : 0);

/**
 * Whether one of a report's accesses was made by our addon: the first frame outside the sanitizer and the C++ library
 * is in it. Where a thread, a mutex or the memory came from does not count.
 */
function isOurs(report) {
  return report
    .split(/\n\s*\n/)
    .filter((stack) => !/^\s*(Thread|Mutex|Location)/.test(stack))
    .map((stack) => [...stack.matchAll(/^ +#\d+ .*\(([\w.+-]+)\+0x[0-9a-f]+\)/gm)].map((frame) => frame[1]))
    .map((modules) => modules.find((module) => !/^lib(tsan|stdc\+\+|c)\b/.test(module)))
    .includes('glm.node');
}

/** GCC 12's thread sanitizer gives no names inside a library that was opened later. */
function withLineNumbers(report) {
  const addon = path.join(folder, 'build', 'Release', 'glm.node');
  return report.replace(/<null> <null> \(glm\.node\+(0x[0-9a-f]+)\)/g, (frame, address) => {
    const { stdout } = spawnSync('addr2line', ['-Cfpise', addon, address], { encoding: 'utf8' });
    return stdout?.trim() || frame;
  });
}

/** GCC 12's thread sanitizer cannot place its shadow memory where addresses are spread over more than 28 bits. */
function withFixedAddresses([program, ...args]) {
  const spread = name === 'thread' && Number(readFileSync('/proc/sys/vm/mmap_rnd_bits', 'utf8')) > 28;
  return spread ? ['setarch', [os.machine(), '--addr-no-randomize', program, ...args]] : [program, args];
}
