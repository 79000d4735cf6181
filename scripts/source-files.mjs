// The project's own files: what git tracks and what it would track, without what a checkout merely contains.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from './compile-native.mjs';

/** Paths from the root, with forward slashes, sorted. */
export function sourceFiles() {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  // A deleted file is listed until the deletion is committed.
  return [...new Set(listed.split('\0'))].filter((file) => file && existsSync(path.join(root, file))).sort();
}

export const isCpp = (file) => /^(cpp|binding|cuda)\/.*\.(h|cuh|cpp|cu)$/.test(file);
