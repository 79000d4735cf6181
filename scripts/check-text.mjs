// Fails on words that must not be committed: `node scripts/check-text.mjs`. Each rule says where it holds and why.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './compile-native.mjs';
import { sourceFiles } from './source-files.mjs';

const code = /^(cpp|cuda|binding|ts|test|bench|examples|scripts|cmake)\/|^[^/]+\.(js|json|md|txt)$|^\.ci\//;
const rules = [
  // Patterns are written so that they do not match themselves.
  { in: code, pattern: /\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b/, why: 'open work belongs in an issue' },
  { in: code, pattern: /not (yet )?implemente[d]/i, why: 'no stubs' },
  { in: /./, pattern: /(^|[^\w.:/])\/(home|root|Users|tm[p]|wor[k]|far[m])\//, why: 'a path of one machine' },
  {
    in: /./,
    pattern: /https?:\/\/[\w.-]*(registr[y]|np[m]js|artifactor[y]|verdacci[o]|nexu[s])/i,
    why: 'a package registry',
  },
  // A skip without a test says that something is absent here, by name; one with a test switches it off.
  {
    in: /^test\/.*\.ts$/,
    pattern: /\.(only\(|skip\(\s*(['"`]).*?\2,)/,
    why: 'a test that is alone or switched off',
  },
];
const binary = /\.(safetensors|png|gz|bin|model|node)$/;
const foreign = /^(test\/golden\/|package-lock\.json$|LICENSE$)/;

export function forbiddenText(paths, read) {
  const found = [];
  for (const file of paths) {
    if (binary.test(file)) continue;
    const lines = read(file).split('\n');
    for (const rule of rules) {
      if (!rule.in.test(file) || (foreign.test(file) && rule.why !== 'a package registry')) continue;
      lines.forEach((line, index) => {
        const match = rule.pattern.exec(line);
        if (match) found.push(`${file}:${index + 1}: "${match[0].trim()}": ${rule.why}`);
      });
    }
  }
  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const found = forbiddenText(sourceFiles(), (file) => readFileSync(path.join(root, file), 'utf8'));
  for (const line of found) console.error(line);
  if (found.length > 0) process.exitCode = 1;
}
