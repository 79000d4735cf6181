// `node scripts/clang-format.mjs --check` names the C++ files that are not formatted, `--write` formats them.
// Versions of clang-format disagree about the same settings, so one is fixed: Debian 12's.
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { root } from './compile-native.mjs';
import { isCpp, sourceFiles } from './source-files.mjs';

const version = '14';

/** `{ tool }`, or `{ missing }`: why there is none. */
export function locateClangFormat() {
  for (const tool of [`clang-format-${version}`, 'clang-format']) {
    const output = spawnSync(tool, ['--version'], { encoding: 'utf8' }).stdout ?? '';
    if (new RegExp(`version ${version}\\.`).test(output)) return { tool };
  }
  return { missing: `clang-format ${version} is not installed (apt-get install clang-format-${version})` };
}

function unformatted(tool, files) {
  const { stderr } = spawnSync(tool, ['--dry-run', ...files], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return [...new Set([...stderr.matchAll(/^(\S+?):\d+:\d+: warning:/gm)].map((match) => match[1]))];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { tool, missing } = locateClangFormat();
  const files = sourceFiles().filter(isCpp);
  if (missing) {
    console.error(missing);
    process.exitCode = 1;
  } else if (files.length > 0 && process.argv[2] === '--write') {
    process.exitCode = spawnSync(tool, ['-i', ...files], { cwd: root, stdio: 'inherit' }).status ?? 1;
  } else if (files.length > 0) {
    const wrong = unformatted(tool, files);
    for (const file of wrong) console.error(`${file}: not formatted; \`npm run format\` does it`);
    if (wrong.length > 0) process.exitCode = 1;
  }
}
