// `npm run check` runs every check; `node scripts/check.mjs layers text` those that are named.
// With CI=true a check whose tool is missing fails; elsewhere it is skipped, and said so.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { locateClangFormat } from './clang-format.mjs';
import { root } from './compile-native.mjs';

const require = createRequire(import.meta.url);
const node = (...args) => [process.execPath, ...args];
const script = (name, ...args) => node(path.join(root, 'scripts', name), ...args);
const packaged = (name, file) => path.join(path.dirname(require.resolve(`${name}/package.json`)), file);

/** Each gives a command line, or a reason why it cannot run here. */
const checks = {
  typecheck: () => ({ command: node(packaged('typescript', 'bin/tsc'), '--noEmit') }),
  eslint: () => ({ command: node(packaged('eslint', 'bin/eslint.js'), '--max-warnings=0', '.') }),
  prettier: () => ({
    command: node(packaged('prettier', 'bin/prettier.cjs'), '--check', '--log-level=warn', '.'),
  }),
  'clang-format': () => {
    const { missing } = locateClangFormat();
    return missing ? { missing } : { command: script('clang-format.mjs', '--check') };
  },
  layers: () => ({ command: script('check-layers.mjs') }),
  text: () => ({ command: script('check-text.mjs') }),
  'isa-symbols': () => ({ command: script('check-isa-symbols.mjs') }),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in checks));
if (unknown.length > 0) {
  console.error(`expected names among ${Object.keys(checks).join(', ')}, found ${unknown.join(', ')}`);
  process.exit(2);
}

for (const name of wanted.length > 0 ? wanted : Object.keys(checks)) {
  const began = performance.now();
  const { command, missing } = checks[name]();
  let outcome = 'ok';
  if (missing) outcome = process.env.CI === 'true' ? `failed: ${missing}` : `skipped: ${missing}`;
  else if (spawnSync(command[0], command.slice(1), { cwd: root, stdio: 'inherit' }).status !== 0)
    outcome = 'failed';
  if (outcome.startsWith('failed')) process.exitCode = 1;
  console.log(`${name.padEnd(12)} ${outcome}  ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
