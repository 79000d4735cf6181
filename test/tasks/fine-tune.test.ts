/** The run of a fine-tune: the best epoch is kept, seeds, resuming, divergence. */

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import { blank, type ClozeRecord, clozeTask } from '../../ts/tasks/cloze.js';
import { fineTune } from '../../ts/tasks/fine-tune/fine-tune.js';
import type { FineTuneEvent, FineTuneResult } from '../../ts/tasks/fine-tune/options.js';
import { fineTuneSeeds, spread } from '../../ts/tasks/fine-tune/seeds.js';
import { glm, start } from '../cli/command.js';
import { failsWith } from '../support/fails-with.js';
import { withFolder } from '../support/folder.js';
import { tinyModel, tinyTokenizer } from './tiny.js';

const tuning = suite('tasks: fine-tuning');

/** Is a number of words even or odd? */
interface Parity extends ClozeRecord {
  text: string;
}

const parity = clozeTask<Parity>({
  name: 'parity',
  description: 'even or odd',
  *read(line) {
    yield { where: line.where, text: line.text('text'), label: line.label(['even', 'odd']) };
  },
  patterns: [({ text }) => ({ parts: [text, ' Odd?', blank], answers: [' No', ' Yes'] })],
  score: (records, predictions) => ({
    accuracy:
      (100 * records.filter(({ label }, i) => label === predictions[i]!.choice).length) / records.length,
  }),
  predictionLines: (_, predictions) => predictions.map(({ choice }) => (choice === 1 ? 'odd' : 'even')),
});

/** A folder with data and a model. */
async function prepared(folder: string) {
  const lines = Array.from({ length: 12 }, (_, i) => ({
    text: Array.from({ length: 1 + (i % 6) }, (_, j) => 'abcdef'[(i + j) % 6]).join(' '),
    label: i % 2 === 0 ? 'odd' : 'even',
  }));
  const data = path.join(folder, 'train.jsonl');
  await writeFile(data, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const model = path.join(folder, 'model');
  using first = await tinyModel(await tinyTokenizer(['a b c d e f'], [' Yes', ' No']));
  await first.save(model);
  return { data, model };
}

const settings = { batchSize: 4, epochs: 4, learningRate: 3e-3, dropout: 0.1, threads: 2 };

tuning('the best epoch is kept, with its predictions, and everything is written down', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const out = path.join(folder, 'run');
    const result = await fineTune(parity, { ...settings, model, train: data, dev: data, out });
    assert.equal(result.epochs.map(({ epoch, step }) => [epoch, step]), [[1, 3], [2, 6], [3, 9], [4, 12]]); // prettier-ignore
    const most = Math.max(...result.epochs.map(({ metrics }) => metrics['accuracy']!));
    assert.is(result.best.metrics['accuracy'], most);
    assert.is(
      result.best,
      result.epochs.find(({ metrics }) => metrics['accuracy'] === most),
    );
    assert.equal(JSON.parse(await readFile(path.join(out, 'result.json'), 'utf8')), result);
    const lines = (await readFile(path.join(out, 'best/predictions.txt'), 'utf8')).trim().split('\n');
    assert.is(lines.length, 12);
    using best = await GLM.load(path.join(out, 'best'));
    const again = await fineTune(parity, { ...settings, model: best, train: data, dev: data, epochs: 0 });
    assert.is(again.best.metrics['accuracy'], most);
  }),
);

tuning('interrupted and resumed is the run that was not', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const options = { ...settings, model, train: data, dev: data };
    const whole = await fineTune(parity, { ...options, out: path.join(folder, 'whole') });
    const out = path.join(folder, 'interrupted');
    const controller = new AbortController();
    const stopped = fineTune(parity, {
      ...options,
      out,
      signal: controller.signal,
      onEvent: (event) => event.type === 'step' && event.step === 7 && controller.abort(new Error('enough')),
    });
    assert.match(await stopped.then(() => 'done', String), /enough/);
    assert.not(existsSync(path.join(out, 'result.json')));
    const resumed = await fineTune(parity, { ...options, out, resume: true });
    const losses = ({ epochs }: FineTuneResult) =>
      epochs.map(({ step, metrics }) => [step, metrics['accuracy']]);
    assert.equal(losses(resumed), losses(whole));
    assert.is(resumed.epochs.at(-1)!.trainingLoss, whole.epochs.at(-1)!.trainingLoss);
  }),
);

tuning('several seeds: each from the model anew, median and spread', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const options = { ...settings, epochs: 1, model, train: data, dev: data };
    const { runs, metrics } = await fineTuneSeeds(parity, { ...options, seeds: 3 });
    assert.equal(runs.map(({ seed }) => seed), [0, 1, 2]); // prettier-ignore
    assert.is(new Set(runs.map(({ best }) => best.trainingLoss)).size, 3);
    assert.is(
      runs[1]!.best.trainingLoss,
      (await fineTune(parity, { ...options, seed: 1 })).best.trainingLoss,
    );
    const values = runs.map(({ best }) => best.metrics['accuracy']!).sort((a, b) => a - b);
    assert.is(metrics['accuracy']!.median, values[1]);
    assert.equal(spread([4, 1, 2, 9]), { median: 3, least: 1, most: 9, deviation: Math.sqrt(38 / 3) });
  }),
);

tuning('a run that diverges says so', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const error = await fineTune(parity, {
      ...settings,
      model,
      train: data,
      epochs: 40,
      learningRate: 1e30,
    }).then(
      () => undefined,
      (found: unknown) => found as { code: string; message: string },
    );
    assert.is(error?.code, 'GLM_NUMERIC');
    assert.match(error!.message, /the fine-tune diverged; lower the learning rate/);
    const risen: FineTuneEvent[] = [];
    const onEvent = (event: FineTuneEvent) => event.type === 'diverging' && risen.push(event);
    const options = { ...settings, model, train: data, onEvent };
    const { epochs } = await fineTune(parity, { ...options, learningRate: 1 });
    const high = epochs.filter(({ trainingLoss }) => trainingLoss > 2 * epochs[0]!.trainingLoss + 1);
    assert.ok(high.length > 0);
    assert.equal(
      risen.map((event) => event.type === 'diverging' && event.epoch),
      high.map(({ epoch }) => epoch),
    );
    risen.length = 0;
    await fineTune(parity, options);
    assert.equal(risen, []);
  }),
);

tuning('the command line: one JSON, resumed after an interrupt', () =>
  withFolder(async (folder) => {
    const premises = Array.from({ length: 16 }, (_, i) => ({ premise: `It is ${i}.`, hypothesis: 'it is', label: i % 2 ? 'entailment' : 'not_entailment', idx: i })); // prettier-ignore
    const file = path.join(folder, 'train.jsonl');
    await writeFile(file, premises.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await writeFile(path.join(folder, 'val.jsonl'), `${JSON.stringify(premises[0])}\n`);
    const model = path.join(folder, 'model');
    using tiny = await tinyModel(await tinyTokenizer(['It is it is'], [' Yes', ' No']));
    await tiny.save(model);
    const out = path.join(folder, 'run');
    const args = ['finetune', 'rte', '--model', model, '--data', folder, '--out', out, '--threads', '1'];
    const running = start(...args, '--epochs', '2000');
    await running.said('epoch 2:');
    running.child.kill('SIGINT');
    assert.is((await running.outcome).status, 130);
    const known = await glm(...args, '--epochs', '3', '--json');
    assert.is(known.status, 2, known.stderr);
    assert.match(known.stdout, /to hold no run, found checkpoints/);
    const seeds = await glm('finetune', 'rte', '--model', model, '--train', file, '--dev', file, '--epochs', '1', '--seeds', '2', '--json'); // prettier-ignore
    assert.is(seeds.status, 0, seeds.stderr);
    const found = JSON.parse(seeds.stdout) as {
      runs: FineTuneResult[];
      metrics: Record<string, { median: number }>;
    };
    assert.is(found.runs.length, 2);
    assert.type(found.metrics['accuracy']!.median, 'number');
    assert.is((await glm('finetune', 'nothing', '--model', model)).status, 2);
    const failed = await glm('finetune', 'rte', '--model', model, '--data', file);
    assert.match(failed.stderr, /^GLM_IO: cannot read the folder .*train\.jsonl/);
    await writeFile(file, `${JSON.stringify({ ...premises[0], premise: ' ' })}\n`, { flag: 'a' });
    const skipped = await glm('finetune', 'rte', '--model', model, '--train', file, '--epochs', '1', '--skip-bad', '--threads', '1'); // prettier-ignore
    assert.match(skipped.stdout, /^seed 0: best epoch 1, 1 left out$/m);
  }),
);

tuning('adapters of a frozen model are learned, kept beside it and apart from it', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const out = path.join(folder, 'run');
    const { epochs } = await fineTune(parity, {
      ...settings,
      ...{ model, train: data, dev: data, out, loraRank: 4, learningRate: 2e-2, epochs: 8, dropout: 0 },
    });
    assert.ok(epochs.at(-1)!.trainingLoss < 0.8 * epochs[0]!.trainingLoss);
    using whole = await GLM.load(path.join(out, 'best'));
    using together = await GLM.load(model, { adapter: path.join(out, 'best/adapter') });
    using before = await GLM.load(model);
    assert.equal(together.parameters(), whole.parameters());
    for (const name of whole.parameters().keys()) {
      const values = await whole.readParameter(name);
      assert.equal(await together.readParameter(name), values, name);
      if (!name.includes('lora')) assert.equal(await before.readParameter(name), values, name);
    }
    const again = fineTune(parity, { ...settings, model: before, train: data, loraRank: 4 });
    await failsWith('GLM_INVALID_ARGUMENT', /lora_rank 4, found 0/, () => again);
  }),
);

tuning.run();
