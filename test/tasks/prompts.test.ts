/** P-tuning: where prompts stand in each kind of task, and what a fine-tune does with them. */

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import { evaluate } from '../../ts/tasks/evaluation/evaluate.js';
import { fineTune } from '../../ts/tasks/fine-tune/fine-tune.js';
import type { FineTuneResult } from '../../ts/tasks/fine-tune/options.js';
import type { PreparedTask, PrepareOptions } from '../../ts/tasks/task.js';
import { findTask } from '../../ts/tasks/tasks.js';
import { glm } from '../cli/command.js';
import { failsWith } from '../support/fails-with.js';
import { withFolder } from '../support/folder.js';
import { tinyModel, tinyTokenizer } from './tiny.js';

const tuning = suite('tasks: prompts');

const words = [' Yes', ' No', ' entailment'];
const texts = ['It is 1 2 3 4 5 6 7 8 9 it is'];

/** A folder with pairs for RTE, and a model that has not learned them. */
async function prepared(folder: string) {
  const data = await writePairs(path.join(folder, 'train.jsonl'), ['not_entailment', 'entailment']);
  const model = path.join(folder, 'model');
  using first = await tinyModel(await tinyTokenizer(texts, words));
  await first.save(model);
  return { data, model };
}

/** Every other record has the second label. */
async function writePairs(file: string, labels: readonly [string, string]): Promise<string> {
  const lines = Array.from({ length: 12 }, (_, i) => ({
    premise: `It is ${1 + (i % 6)}.`,
    hypothesis: 'it is',
    label: labels[i % 2],
    idx: i,
  }));
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return file;
}

const settings = { batchSize: 4, epochs: 6, learningRate: 2e-2, dropout: 0, threads: 2, freeze: true };

tuning('prompts stand behind [CLS], and their tokens count', async () => {
  const tokenizer = await tinyTokenizer(texts, words);
  const { special } = tokenizer;
  const prompts = [5000, 5001, 5002];
  const record = { where: 'here', premise: 'It is 1.', hypothesis: 'it is', label: 0, text: 'It is 1 2 3' };
  const contexts = async (name: string, more: Partial<PrepareOptions> = {}) => {
    const of = async (options: Partial<PrepareOptions>) => {
      const task = await findTask(name).prepare({ tokenizer, ...more, ...options });
      const pair = { ...record, source: 'It is 1', target: ['it'], place: 0 };
      const draw = { seed: 0, epoch: 0 };
      const [batch] = await (task as PreparedTask<typeof pair>).examples([pair], draw);
      return Array.from(batch!.ids.slice(0, batch!.contextLengths[0]));
    };
    return { without: await of({}), behind: await of({ prompts }) };
  };
  for (const [name, more] of [
    ['rte', {}],
    ['rte', { classifier: true }],
    ['rte', { multiToken: true }],
    ['seq2seq', {}],
    ['infilling', { maskRatio: 0.3 }],
  ] as const) {
    const { without, behind } = await contexts(name, more);
    const begin = without[0] === special.cls ? 1 : 0;
    assert.equal(behind, [...without.slice(0, begin), ...prompts, ...without.slice(begin)], name);
    assert.is(begin, name === 'infilling' ? 0 : 1);
  }
  const { without, behind } = await contexts('rte', { classifier: true, maxLength: 9 });
  assert.is(without.length, 9);
  assert.is(behind.length, 9, 'what is cut makes room for the prompts');
  await failsWith('GLM_INVALID_ARGUMENT', /prompts that leave room for a text in 6 tokens, found 3/, () =>
    contexts('rte', { maxLength: 6, classifier: true }),
  );
});

for (const promptEncoder of ['lstm', 'mlp', 'none'] as const) {
  tuning(`${promptEncoder}: prompts of a frozen model are learned, kept with it and apart`, () =>
    withFolder(async (folder) => {
      const { model } = await prepared(folder);
      const data = await writePairs(path.join(folder, 'same.jsonl'), ['entailment', 'entailment']);
      const out = path.join(folder, 'run');
      const files = { model, train: data, dev: data };
      const more = { out, promptLength: 5, promptEncoder, promptInit: true, epochs: 10 };
      const { epochs, best } = await fineTune(findTask('rte'), { ...settings, ...files, ...more });
      const [first, last] = [epochs[0]!.trainingLoss, epochs.at(-1)!.trainingLoss];
      assert.ok(last < 0.85 * Math.LN2 && last < first, `${first} to ${last}`); // chance is ln 2
      using whole = await GLM.load(path.join(out, 'best'));
      using together = await GLM.load(model, { adapter: path.join(out, 'best/adapter') });
      using before = await GLM.load(model);
      for (const name of whole.parameters().keys()) {
        const values = await whole.readParameter(name);
        assert.equal(await together.readParameter(name), values, name);
        if (!name.startsWith('prompt_spell.')) assert.equal(await before.readParameter(name), values, name);
      }
      for (const tuned of [whole, together]) {
        const { metrics } = await evaluate(tuned, 'rte', { data });
        assert.equal(metrics, best.metrics);
      }
    }),
  );
}

tuning('resumed, a run with prompts is the run that was not interrupted', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const options = { ...settings, model, train: data, dev: data, promptLength: 3, dropout: 0.1, epochs: 4 };
    const whole = await fineTune(findTask('rte'), { ...options, out: path.join(folder, 'whole') });
    const out = path.join(folder, 'interrupted');
    const controller = new AbortController();
    const stopped = fineTune(findTask('rte'), {
      ...options,
      out,
      signal: controller.signal,
      onEvent: (event) => event.type === 'step' && event.step === 7 && controller.abort(new Error('enough')),
    });
    assert.match(await stopped.then(() => 'done', String), /enough/);
    const resumed = await fineTune(findTask('rte'), { ...options, out, resume: true });
    assert.is(resumed.epochs.at(-1)!.trainingLoss, whole.epochs.at(-1)!.trainingLoss);
    const file = (run: string) => readFile(path.join(folder, run, 'best/adapter/adapter.safetensors'));
    assert.ok((await file('interrupted')).equals(await file('whole')));
  }),
);

tuning('with a classifier, and with writing texts and infilling', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const pairs = path.join(folder, 'pairs.jsonl');
    await writeFile(pairs, '{"source": "It is 1.", "target": "it is"}\n'.repeat(4));
    const text = path.join(folder, 'text.txt');
    await writeFile(text, 'It is 1 2 3 4 5\n'.repeat(4));
    const prompts = { ...settings, epochs: 15, promptLength: 4 };
    const runs: [string, string, Record<string, unknown>][] = [
      ['rte', data, { classifier: true }],
      ['seq2seq', pairs, { maxTargetLength: 8 }],
      ['infilling', text, { maxTargetLength: 4 }],
    ];
    for (const [name, train, taskOptions] of runs) {
      const files = { model, train, dev: train };
      const { epochs } = await fineTune(findTask(name), { ...prompts, ...files, taskOptions });
      const [first, last] = [epochs[0]!.trainingLoss, epochs.at(-1)!.trainingLoss];
      assert.ok(last < first, `${name}: ${first} to ${last}`);
    }
  }),
);

tuning('what cannot be is refused', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const options = { ...settings, freeze: false, model, train: data, epochs: 1 };
    const refused = (message: RegExp, wrong: object) =>
      failsWith('GLM_INVALID_ARGUMENT', message, () => fineTune(findTask('rte'), { ...options, ...wrong }));
    await refused(/expected promptLength with promptEncoder/, { promptEncoder: 'mlp' });
    await refused(/expected spell_func to be "lstm"/, { promptLength: 3, promptEncoder: 'gru' });
    await refused(/expected spell_length to be an integer from 1 to 382, found 383/, { promptLength: 383 });
    await refused(/prompts that leave room for a text in 256 tokens, found 256/, { promptLength: 256 });
    using loaded = await GLM.load(model);
    await refused(/expected a model with spell_length 3, found null/, { model: loaded, promptLength: 3 });
  }),
);

tuning('the command line', () =>
  withFolder(async (folder) => {
    const { data, model } = await prepared(folder);
    const out = path.join(folder, 'run');
    const args = ['finetune', 'rte', '--model', model, '--train', data, '--dev', data, '--out', out];
    const flags = ['--prompt-length', '3', '--prompt-encoder', 'mlp', '--prompt-init', '--freeze'];
    const { status, stdout, stderr } = await glm(...args, ...flags, '--epochs', '1', '--json');
    assert.is(status, 0, stderr);
    assert.type((JSON.parse(stdout) as FineTuneResult).best.metrics['accuracy'], 'number');
    using tuned = await GLM.load(model, { adapter: path.join(out, 'best/adapter') });
    assert.is(tuned.config.spell_length, 3);
    assert.is(tuned.config.spell_func, 'mlp');
    const wrong = await glm(...args, '--prompt-length', '3', '--prompt-encoder', 'gru');
    assert.is(wrong.status, 2);
    assert.match(wrong.stderr, /lstm, mlp, none/);
  }),
);

tuning.run();
