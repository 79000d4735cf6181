// npm run bench -- NAME [arguments]: runs bench/NAME.ts; without a name it says which there are.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './compile-native.mjs';

const [name, ...benchArguments] = process.argv.slice(2);
const folder = path.join(root, 'bench');
const names = existsSync(folder)
  ? readdirSync(folder, { recursive: true })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('support'))
      .map((file) => file.slice(0, -'.ts'.length))
      .sort()
  : [];
if (!names.includes(name)) {
  console.error(`expected the name of a benchmark (${names.join(', ')}), found ${name ?? 'none'}`);
  process.exit(2);
}
const command = ['--import', 'tsx', path.join(folder, `${name}.ts`), ...benchArguments];
process.exitCode = spawnSync(process.execPath, command, { stdio: 'inherit' }).status ?? 1;
