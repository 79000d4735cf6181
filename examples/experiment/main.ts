/**
 * A small experiment in pretraining, in about an hour on two cores: `npm run experiment`.
 *
 * Small GLMs learn from the quickstart's text, or with `--text <folder>` from the .txt files of a folder: three seeds, and one
 * model whose spans are not shuffled; `--full` adds models with sentinel tokens and without block positions, and three seeds of
 * each. Each is measured on held-out text: its perplexity when it sees the context in both directions and when it sees it from left
 * to right (paper, section 3.3). Everything is written to runs/experiment, and goes on from there after a kill. `--report <folder>`
 * writes the tables, the plots and the raw numbers of the runs that are done; `--report docs` is how docs/experiment.md was made.
 */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { writeFileAtomically } from '../../ts/files.js';
import { GlmError } from '../../ts/index.js';
import { writeExperiment } from './report.js';
import { run, type RunResult, type Settings } from './run.js';
import { openText } from './text.js';
import { variants } from './variants.js';

const usual: Settings = {
  text: 'addresses on the state of the union',
  layers: 4,
  hidden: 192,
  heads: 3,
  maxLength: 256,
  steps: 1600,
  batchSize: 4,
  learningRate: 1e-3,
  warmup: 50,
  evaluateEvery: 100,
  checkpointEvery: 50,
  curveSamples: 64,
  samples: 128,
};

try {
  await main();
} catch (error) {
  if (!(error instanceof GlmError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      text: { type: 'string' },
      out: { type: 'string', default: path.join('runs', 'experiment') },
      steps: { type: 'string', default: String(usual.steps) },
      full: { type: 'boolean', default: false },
      report: { type: 'string' },
    },
  });
  const { text: given, out, full } = values;
  const steps = Number(values.steps);
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw new GlmError('GLM_INVALID_ARGUMENT', `expected --steps from 1 on, found ${values.steps}`);
  const settings = { ...usual, steps, ...(given && { text: given }) };
  await keepSettings(path.join(out, 'settings.json'), settings);
  const text = await openText(given, path.join(out, 'text'));
  const results: RunResult[] = [];
  for (const [variant, seed] of runs(full)) {
    const isDone = existsSync(path.join(out, `${variant}-${seed}`, 'result.json'));
    if (values.report === undefined || isDone) results.push(await run(variant, seed, text, settings, out));
  }
  const file = await writeExperiment(values.report ?? out, { settings, text, results, planned: runs(full) });
  console.log(`The tables are in ${file}`);
  await text.train.close();
  await text.heldOut.close();
}

/** What is compared, the most important first: so runs that are done say something when it ends early. */
function runs(full: boolean): [variant: string, seed: number][] {
  const seeds = [1, 2, 3];
  const small: [string, number][] = [
    ...seeds.map((seed): [string, number] => ['glm', seed]),
    ['no-shuffle', 1],
  ];
  if (!full) return small;
  const all = Object.keys(variants).flatMap((name) => seeds.map((seed): [string, number] => [name, seed]));
  return [...small, ...all.filter(([name, seed]) => !small.some(([n, s]) => n === name && s === seed))];
}

/** Runs with different settings must not mix. Throws `GLM_INVALID_ARGUMENT`. */
async function keepSettings(file: string, settings: Settings): Promise<void> {
  const text = `${JSON.stringify(settings, null, 2)}\n`;
  const before = await readFile(file, 'utf8').catch(() => undefined);
  if (before === undefined) await writeFileAtomically(file, text);
  else if (before !== text) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected the settings of ${file}, found others; give the same --text and --steps, or another --out`,
    );
  }
}
