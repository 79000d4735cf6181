/** What a report makes of runs in every state; what a browser makes of it is in browser.test.ts. */

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GlmError } from '../../ts/errors.js';
import { embeddedJson, escapeHtml } from '../../ts/report/markup.js';
import { writeReport } from '../../ts/report/report.js';
import { buckets, logTicks, shortNumber, smooth, ticks } from '../../ts/report/series.js';
import { withFolder } from '../support/folder.js';
import { events, hostile, lines, makeRun, step } from './made-up-run.js';

const report = suite('report');

report('a run in the making: half a last line is no event and no fault', () =>
  withFolder(async (folder) => {
    const run = await makeRun(path.join(folder, 'going'), `${lines(events)}{"type":"step","st`);
    const [summary] = await writeReport([run], path.join(folder, 'out.html'));
    assert.equal(
      { ...summary, seconds: 0 },
      {
        name: 'going',
        folder: run,
        state: 'no end yet',
        steps: 60,
        plannedSteps: null,
        skipped: 1,
        parameters: null,
        tokens: 59 * 500,
        seconds: 0,
        tokensPerSecond: 1000,
        trainingLoss: summary!.trainingLoss,
        heldOutLoss: 5 - 59 / 20,
        bestHeldOutLoss: 5 - 59 / 20,
        unreadableLines: 0,
      },
    );
    assert.ok(Math.abs(summary!.trainingLoss! - 8 / (1 + 58.5 / 20)) < 0.1, `${summary!.trainingLoss}`);
  }),
);

report('finished, stopped, resumed: the last event and the steps asked for say it', () =>
  withFolder(async (folder) => {
    const stateOf = async (metrics: string, steps?: number) => {
      const run = await makeRun(path.join(folder, 'run'), metrics);
      if (steps !== undefined)
        await writeFile(path.join(run, 'trainer.json'), JSON.stringify({ options: { steps } }));
      return (await writeReport([run], path.join(folder, 'out.html')))[0]!.state;
    };
    const done = lines([{ type: 'done', step: 60, skipped: 1 }]);
    assert.is(await stateOf(lines(events) + done), 'finished');
    assert.is(await stateOf(lines(events) + done, 60), 'finished');
    assert.is(await stateOf(lines(events) + done, 100), 'stopped');
    assert.is(await stateOf(lines(events) + done + lines([step(60, 2)]), 100), 'no end yet');
  }),
);

report('broken lines inside are counted, and said', () =>
  withFolder(async (folder) => {
    const metrics = `${lines([step(0, 5)])}{"half\nnull\n${lines([step(1, 4)])}`;
    const file = path.join(folder, 'out.html');
    const [summary] = await writeReport([await makeRun(path.join(folder, 'run'), metrics)], file);
    assert.equal([summary!.steps, summary!.unreadableLines], [2, 2]);
    assert.match(await readFile(file, 'utf8'), '2 unreadable lines');
  }),
);

report('a run that has no step, validation, sample or example yet', () =>
  withFolder(async (folder) => {
    const file = path.join(folder, 'out.html');
    const empty = await makeRun(path.join(folder, 'empty'), '', []);
    const training = await makeRun(path.join(folder, 'training'), lines([step(0, 5), step(1, 4)]), []);
    const summaries = await writeReport([empty, training], file);
    assert.equal(
      summaries.map(({ steps, trainingLoss, heldOutLoss }) => [steps, trainingLoss !== null, heldOutLoss]),
      [
        [0, false, null],
        [2, true, null],
      ],
    );
    const html = (await readFile(file, 'utf8')).replace(/<script>.*<\/script>/s, '');
    assert.not.match(html, /NaN|Infinity|undefined/);
    assert.not.match(html, 'id="fills"');
    await writeReport([empty], file);
    assert.match(await readFile(file, 'utf8'), 'Nothing was recorded yet.');
  }),
);

report('no run in the folder: GLM_IO, and no file', () =>
  withFolder(async (folder) => {
    const error = await writeReport([folder], path.join(folder, 'out.html')).catch((e: unknown) => e);
    assert.instance(error, GlmError);
    assert.is((error as GlmError).code, 'GLM_IO');
    assert.match((error as GlmError).message, `found no metrics.jsonl in ${folder}`);
  }),
);

report('long runs become as many points as can be seen', () => {
  const points = Array.from({ length: 100_000 }, (_, i) => ({ x: i, y: i % 100 === 7 ? NaN : i }));
  const found = buckets(points, 500);
  assert.is(found.length, 500);
  for (const { x, y, low, high } of found) {
    assert.ok(Math.abs(x - y) < 1e-6 && low < y && y < high);
  }
  const constant = smooth(Array.from({ length: 200 }, (_, x) => ({ x, y: 3 })));
  assert.ok(constant.every(({ y }) => Math.abs(y - 3) < 1e-12));
});

report('text is text, in elements and in scripts', () => {
  assert.not.match(escapeHtml(hostile), /[<>"']/);
  assert.not.match(embeddedJson([hostile]), /</);
  assert.equal(JSON.parse(embeddedJson([hostile])), [hostile]);
});

report('axes have round numbers', () => {
  assert.equal(ticks(0.1, 0.9, 4), [0.2, 0.4, 0.6, 0.8]);
  assert.equal(ticks(0, 60, 6), [0, 10, 20, 30, 40, 50, 60]);
  assert.equal(logTicks(0.5, 200), [1, 10, 100]);
  assert.equal(logTicks(1.5, 8), [2, 5]);
  const written = [0, 0.0003, 2e-5, 1.25, 9999, 12_500, 3_100_000].map(shortNumber);
  assert.equal(written, ['0', '3e-4', '2e-5', '1.25', '9999', '12.5k', '3.1M']);
});

report.run();
