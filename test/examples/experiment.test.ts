/** The experiment on a text of its own: what it measures and writes, and how it goes on. */

import { spawnSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { RunResult } from '../../examples/experiment/run.js';
import { variants } from '../../examples/experiment/variants.js';
import { withFolder } from '../support/folder.js';

const experiment = suite('examples: experiment');
const main = fileURLToPath(new URL('../../examples/experiment/main.ts', import.meta.url));

function runExperiment(folder: string, ...more: string[]) {
  const text = path.join(folder, 'text');
  const options = ['--text', text, '--out', path.join(folder, 'out'), '--steps', '2', ...more];
  return spawnSync(process.execPath, ['--import', 'tsx', main, ...options], { encoding: 'utf8' });
}

/** Enough different words for the vocabulary. */
async function writeTexts(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'text'));
  for (let file = 0; file < 2; file++) {
    const words = Array.from({ length: file === 0 ? 200 : 2000 }, (_, i) =>
      ((i * 7919 + file * 104729) ** 2 % 1e9).toString(26),
    );
    await writeFile(
      path.join(folder, 'text', `${file}.txt`),
      words.join(' ').replaceAll(/(\w+ ){10}/g, '$&. '),
    );
  }
}

experiment('every variant is measured; what is done is kept, the rest goes on from its checkpoint', () =>
  withFolder(async (folder) => {
    await writeTexts(folder);
    const first = runExperiment(folder, '--full');
    assert.is(first.status, 0, first.stderr);
    const results = path.join(folder, 'out', 'experiment', 'results.json');
    const { runs } = JSON.parse(await readFile(results, 'utf8')) as { runs: RunResult[] };
    assert.equal(
      runs.map(({ variant, seed }) => `${variant}-${seed}`).sort(),
      Object.keys(variants)
        .flatMap((name) => [1, 2, 3].map((seed) => `${name}-${seed}`))
        .sort(),
    );
    for (const { text, objectives } of runs) {
      assert.is(text.bidirectional.tokens, text.unidirectional.tokens);
      assert.is(objectives.shuffledBlanks.tokens, objectives.blanksInOrder.tokens);
      assert.not.equal(text.bidirectional.loss, text.unidirectional.loss);
      for (const { loss, tokens } of [text.bidirectional, objectives.document])
        assert.ok(loss / tokens > 5 && loss / tokens < 12, `${loss} / ${tokens}`);
    }
    const page = await readFile(path.join(folder, 'out', 'experiment.md'), 'utf8');
    for (const [, plot] of page.matchAll(/\((experiment\/\w+\.svg)\)/g))
      assert.match(await readFile(path.join(folder, 'out', plot!), 'utf8'), /^<svg [^]*<\/svg>\n$/);

    const lost = path.join(folder, 'out', 'glm-2', 'result.json');
    const before = await readFile(lost, 'utf8');
    await rm(lost);
    const second = runExperiment(folder, '--full');
    assert.is(second.status, 0, second.stderr);
    assert.match(second.stdout, 'glm, seed 2: step 2 of 2');
    assert.is((second.stdout.match(/: step /g) ?? []).length, 1, second.stdout);
    assert.is(await readFile(lost, 'utf8'), before);
  }),
);

experiment('runs with other settings are not mixed in', () =>
  withFolder(async (folder) => {
    await writeTexts(folder);
    await mkdir(path.join(folder, 'out'));
    await writeFile(path.join(folder, 'out', 'settings.json'), '{}\n');
    const { status, stderr } = runExperiment(folder);
    assert.is(status, 1);
    assert.match(stderr, 'GLM_INVALID_ARGUMENT: expected the settings of');
  }),
);

experiment.run();
