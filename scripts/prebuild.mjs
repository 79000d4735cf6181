// `npm run prebuild`: compiles the addon and puts it, stripped, into prebuilds/<platform>-<arch>/, from where an
// installed package loads it without a compiler. The name says which C library it was linked with, so that musl
// systems do not load a glibc one.
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from './compile-native.mjs';

const require = createRequire(import.meta.url);
const prebuildify = promisify(require('prebuildify'));

const stage = path.join(root, 'build', 'prebuild');
const script = path.join(root, 'scripts', 'node-gyp-cmake.mjs');
rmSync(stage, { recursive: true, force: true });
rmSync(path.join(root, 'prebuilds', `${os.platform()}-${os.arch()}`), { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
// prebuildify names its file after the package of the folder that it works in.
copyFileSync(path.join(root, 'package.json'), path.join(stage, 'package.json'));

await prebuildify({
  cwd: stage,
  out: root,
  napi: true,
  strip: true,
  tagLibc: true,
  shell: true,
  nodeGyp: `"${process.execPath}" "${script}"`,
});
rmSync(stage, { recursive: true, force: true });
