#!/usr/bin/env node
// Stands in for node-gyp, which prebuildify runs as `<node-gyp> rebuild --target=… --arch=… --release` and whose result
// it moves out of ./build/Release. We compile in the checkout's own build folder and leave copies of the result where
// prebuildify looks, so that the checkout keeps its addon. Node-API: one build serves every version of node.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { compileNative, root } from './compile-native.mjs';

const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice('--arch='.length);
// Machine code for every GPU that is supported, and PTX for those to come.
const architectures = '80-real;86-real;89-real;90-real;100-real;120';
compileNative({
  arch,
  options: { GLM_CUDA_ARCHITECTURES: process.env.GLM_BUILD_CUDA_ARCHITECTURES ?? architectures },
});

const from = path.join(root, 'build', 'Release');
const to = path.resolve('build', 'Release');
mkdirSync(to, { recursive: true });
for (const name of readdirSync(from).filter((file) => /\.(node|so|dylib|dll)$/.test(file)))
  copyFileSync(path.join(from, name), path.join(to, name));
