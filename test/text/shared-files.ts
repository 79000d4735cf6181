/** Files that only tests need and that lie beside the checkout; without them tests are skipped by name, in CI they fail. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'uvu';

const shared = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../shared');

export function sharedFile(...name: string[]): string {
  return path.join(shared, ...name);
}

/** Adds a test that needs files of ../shared. */
export function testWith(
  suite: Test,
  needed: readonly string[],
  name: string,
  run: () => Promise<void>,
): void {
  const missing = needed.filter((file) => !existsSync(sharedFile(file)));
  const title = missing.length === 0 ? name : `${name}: ../shared/${missing[0]} is not there`;
  if (missing.length === 0) suite(title, run);
  else if (process.env['CI'] !== 'true') suite.skip(title);
  else
    suite(title, () => {
      throw new Error(`${title}; in CI it must be`);
    });
}
