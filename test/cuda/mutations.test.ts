/** The list of scripts/mutate-cuda.mjs against the sources: what it breaks is there, and what it runs exists. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

interface Mutation {
  file: string;
  unit?: string;
  what: string;
  from: string;
  to: string;
  check?: { op: string; type?: string; shape?: string };
  tests?: string;
}

const root = path.join(import.meta.dirname, '../..');
const table = JSON.parse(
  readFileSync(path.join(import.meta.dirname, 'mutations.json'), 'utf8'),
) as Mutation[];
const tests = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.test.ts'),
);

const mutations = suite('CUDA, mutations');

mutations('find what they break once in its file', () => {
  for (const { file, what, from, to } of table) {
    const parts = readFileSync(path.join(root, file), 'utf8').split(from);
    assert.is(parts.length, 2, `${file}: ${what}: expected once, found ${parts.length - 1} times: ${from}`);
    assert.is.not(from, to, `${file}: ${what}`);
  }
});

mutations('name a source file to compile, and what must fail', () => {
  for (const { file, unit = file, what, check, tests: pattern } of table) {
    assert.match(unit, /\.(cu|cpp)$/, `${file}: ${what}`);
    assert.ok(existsSync(path.join(root, unit)), `${file}: ${what}: ${unit}`);
    assert.ok((check === undefined) !== (pattern === undefined), `${file}: ${what}: check or tests`);
    if (pattern !== undefined) {
      const found = tests.filter((name) => new RegExp(pattern).test(name));
      assert.ok(found.length > 0, `${file}: ${what}: no test matches ${pattern}`);
    }
  }
});

mutations('are told apart', () => {
  const names = table.map(({ file, what }) => `${file}: ${what}`);
  assert.is(new Set(names).size, names.length);
});
mutations.run();
