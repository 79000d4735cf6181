// npm's install step. In an installed package a prebuilt addon is used when one loads here; otherwise, and always in a
// checkout, the addon is built from source (in a checkout only what changed).
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { compileNative, root } from './compile-native.mjs';

const require = createRequire(import.meta.url);

// npm never packs a lock file, so only a checkout has one.
const isCheckout = existsSync(path.join(root, 'package-lock.json'));
const fromSource = isCheckout || process.env.npm_config_build_from_source === 'true';

if (fromSource || !prebuiltLoads()) build();

function prebuiltLoads() {
  try {
    require('node-gyp-build')(root);
    return true;
  } catch (error) {
    const [reason] = String(error.message).split('\n');
    console.error(`glm-native: no prebuilt addon loads here (${reason}), building from source`);
    return false;
  }
}

function build() {
  try {
    compileNative();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
