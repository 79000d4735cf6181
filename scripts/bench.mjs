// npm run bench -- NAME [arguments]: runs bench/NAME.ts, which prints a table on stderr and JSON on stdout. Without a name:
// the kernels, attention, decoding, span construction and the training step, a few minutes in all, as one array of JSON.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './compile-native.mjs';

const overview = ['kernels', 'attention', 'generate', 'spans', 'training-step'];

const [name, ...benchArguments] = process.argv.slice(2);
const folder = path.join(root, 'bench');
const names = existsSync(folder)
  ? readdirSync(folder, { recursive: true })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('support'))
      .map((file) => file.slice(0, -'.ts'.length))
      .sort()
  : [];
if (name === undefined) {
  const results = overview.map((each) => JSON.parse(run(each, [], 'pipe')));
  console.log(JSON.stringify(results, null, 2));
} else if (names.includes(name)) {
  run(name, benchArguments, 'inherit');
} else {
  console.error(`expected the name of a benchmark (${names.join(', ')}), found ${name}`);
  process.exitCode = 2;
}

/** Runs one to its end, and gives what it printed on stdout if that is a pipe. */
function run(benchmark, args, stdout) {
  const command = ['--import', 'tsx', path.join(folder, `${benchmark}.ts`), ...args];
  const child = spawnSync(process.execPath, command, { stdio: ['inherit', stdout, 'inherit'] });
  if (child.status !== 0) process.exit(child.status ?? 1);
  return String(child.stdout ?? '');
}
