// node --import tsx scripts/run-tests.mjs [--fail-on-skip] [folder or file = test] [regex on the path]
//
// Runs every *.test.ts, one file after the other in this process, so that a test may measure memory and time. uvu
// alone reports success when a before() hook throws, when a suite is never run and when no file is found, and it waits
// for ever on a test that hangs; here each of these is a failure. The last line is `N passed, N failed, N skipped`.
//
// TEST_TIME_LIMIT: seconds that one file may take, 300 unless told.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Watchdog } from './test-watchdog.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'fail-on-skip': { type: 'boolean', default: false } },
});
const [start = 'test', pattern = ''] = positionals;
const counts = { passed: 0, failed: 0, skipped: 0 };
let finished = false;

// The last word in every case, also after process.exit() in a test or an error that nobody caught.
process.on('exit', () => {
  if (!finished) {
    counts.failed++;
    console.log('\nthe process ended before the tests did');
  }
  if (counts.failed > 0 || (flags['fail-on-skip'] && counts.skipped > 0)) process.exitCode ||= 1;
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
});

// uvu's suites then wait in its queue instead of running by themselves.
globalThis.UVU_DEFER = 1;
globalThis.UVU_QUEUE = [];

const watchdog = new Watchdog(Number(process.env.TEST_TIME_LIMIT ?? 300), counts);
const files = findTests(start, new RegExp(pattern));
if (files.length === 0) fail(`expected test files in ${start} that match /${pattern}/, found none`);
for (const file of files) await runFile(file);
watchdog.stop();
finished = true;
reportWhatKeepsTheProcessAlive();

function findTests(from, matches) {
  if (!existsSync(from)) return [];
  if (statSync(from).isFile()) return [from];
  return readdirSync(from, { recursive: true })
    .filter((name) => name.endsWith('.test.ts') && matches.test(name))
    .sort()
    .map((name) => path.join(from, name));
}

async function runFile(file) {
  const began = performance.now();
  watchdog.enter(file);
  console.log(`\n${file}`);
  const suites = [];
  globalThis.UVU_INDEX = globalThis.UVU_QUEUE.push(suites) - 1;
  try {
    await import(pathToFileURL(path.resolve(file)).href);
  } catch (error) {
    return fail(`${file} could not be loaded: ${error?.stack ?? error}`);
  }
  for (const suite of suitesNeverRun(file))
    fail(`${file}: ${suite}.run() is missing, its tests would not run`);
  if (suites.length === 0) fail(`${file}: no suite was run`);
  for (const run of suites) await runSuite(run, file);
  const seconds = (performance.now() - began) / 1000;
  if (seconds >= 1) console.log(`  ${seconds.toFixed(1)} s`);
}

/** `errors` is uvu's text of the failed tests, or true when none failed. A hook that threw leaves no trace but the count. */
async function runSuite(run, file) {
  try {
    const [errors, passed, skipped, total] = await run();
    if (errors !== true) console.log(`\n${errors}`);
    else if (passed < total)
      console.log(
        `  ${file}: a hook threw (uvu drops the error), so ${total - passed} of ${total} tests did not run`,
      );
    counts.passed += passed;
    counts.failed += total - passed;
    counts.skipped += skipped;
  } catch (error) {
    fail(`${file}: an after() hook threw: ${error?.stack ?? error}`);
  }
}

/** The names of suites that a file makes and never runs: `test` of uvu itself and `const name = suite(…)`. */
function suitesNeverRun(file) {
  const source = readFileSync(file, 'utf8');
  const names = [...source.matchAll(/^(?:export )?const (\w+) = suite\b/gm)].map((match) => match[1]);
  if (/^import \{[^}]*\btest\b[^}]*\} from 'uvu'/m.test(source)) names.push('test');
  return names.filter((name) => !source.includes(`${name}.run(`));
}

function fail(message) {
  counts.failed++;
  console.log(`  ${message}`);
}

/** Tests that pass and leave a thread, socket or timer behind would hang whoever uses the library in the same way. */
function reportWhatKeepsTheProcessAlive() {
  const patience = setTimeout(() => {
    fail(`the process does not end by itself; still open: ${process.getActiveResourcesInfo().join(', ')}`);
    process.exit(1);
  }, 20_000);
  patience.unref();
}
