/** SuperGLUE: how records are worded, what is wrong with data, prediction files, and that fine-tuning learns. */

import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GLM } from '../../ts/glm.js';
import type { GlmError } from '../../ts/errors.js';
import { fineTune } from '../../ts/tasks/fine-tune/fine-tune.js';
import type { Task, TaskRecord } from '../../ts/tasks/task.js';
import { evaluate } from '../../ts/tasks/evaluation/evaluate.js';
import { findTask, superGlueAverage } from '../../ts/tasks/tasks.js';
import type { Tokenizer } from '../../ts/text/tokenizer.js';
import { failsWith } from '../support/fails-with.js';
import { withFolder } from '../support/folder.js';
import { sharedFile, testWith } from '../text/shared-files.js';
import { workedExamples } from './support.js';
import { tinyModel, tinyTokenizer } from './tiny.js';

const superglue = suite('tasks: SuperGLUE');
const draw = { seed: 0, epoch: 0 };
const words = [
  ' Yes',
  ' No',
  ' Maybe',
  ' true',
  ' false',
  ' neither',
  ' because',
  ' so',
  ' True',
  ' False',
  '2',
  'b',
];

/** The examples of one line of data, as texts: what is fed, and after → what is to be written there. */
async function worded(name: string, line: object, pattern: number): Promise<string[]> {
  return withFolder(async (folder) => {
    const file = path.join(folder, 'data.jsonl');
    await writeFile(file, `${JSON.stringify(line)}\n`);
    const tokenizer = await tinyTokenizer([JSON.stringify(line)], words);
    const [record] = await recordsOf(findTask(name), file);
    const task = await findTask(name).prepare({ tokenizer, pattern });
    const [batch] = await task.examples([record!], draw);
    const { ids, offsets, contextLengths, targets, decision } = batch!;
    return Promise.all(
      Array.from(contextLengths, async (length, i) => {
        const begin = offsets[i]!;
        const text = await tokenizer.decode(ids.slice(begin, begin + length));
        const written = decision?.kind === 'words' ? decision.words.map((id) => id) : targets!.slice(begin + length, offsets[i + 1]); // prettier-ignore
        return `${text} → ${await tokenizer.decode(written)}`;
      }),
    );
  });
}

async function recordsOf(task: Task, file: string): Promise<TaskRecord[]> {
  const records: TaskRecord[] = [];
  const bad = (error: unknown) => {
    throw error;
  };
  for await (const record of task.read(file, bad)) records.push(record);
  return records;
}

const cb = { premise: 'It was cold. I think.', hypothesis: 'it was cold.', label: 'neutral', idx: 0 };
const copa = { premise: 'The man woke up.', choice1: 'It was late.', choice2: 'He slept.', question: 'cause', label: 0, idx: 7 }; // prettier-ignore
const end = '<|endoftext|>';

superglue('CB, every pattern', async () => {
  assert.equal(await worded('cb', cb, 0), [
    `[CLS]"it was cold" ?[MASK], "It was cold. I think."${end} →  Yes No Maybe`,
  ]);
  assert.equal(await worded('cb', cb, 1), [
    `[CLS]it was cold?[MASK], It was cold. I think.${end} →  Yes No Maybe`,
  ]);
  assert.equal(await worded('cb', cb, 2), [
    `[CLS]"it was cold" ?[MASK]. "It was cold. I think."${end} →  Yes No Maybe`,
  ]);
  assert.equal(await worded('cb', cb, 3), [
    `[CLS]it was cold?[MASK]. It was cold. I think.${end} →  Yes No Maybe`,
  ]);
  assert.equal(await worded('cb', cb, 4), [
    `[CLS]It was cold. I think. question: it was cold. true, false or neither? answer:[MASK]${end} →  true false neither`,
  ]);
});

superglue('COPA, every pattern: texts in the blank, or the link between them', async () => {
  const eop = '<|endofpiece|>';
  const quoted = `[CLS]"it was late" or "he slept"? The man woke up because[MASK].${end}`;
  assert.equal(await worded('copa', copa, 0), [
    `${quoted} →  it was late${eop}`,
    `${quoted} →  he slept${eop}`,
  ]);
  const plain = `[CLS]it was late or he slept? The man woke up because[MASK].${end}`;
  assert.equal(await worded('copa', { ...copa, label: 1 }, 1), [
    `${plain} →  it was late${eop}`,
    `${plain} →  he slept${eop}`,
  ]);
  const choices = '[CLS]"it was late" or "he slept"?The man woke up[MASK]';
  assert.equal(await worded('copa', { ...copa, question: 'effect' }, 2), [
    `${choices} it was late${end} →  so${eop}`,
    `${choices} he slept${end} →  so${eop}`,
  ]);
});

superglue('WSC: a star around the pronoun; ReCoRD: every entity once', async () => {
  const target = { span2_index: 3, span1_index: 0, span1_text: 'Tom', span2_text: 'he' };
  assert.equal(await worded('wsc', { text: 'Tom says that he sleeps.', target, label: true, idx: 0 }, 0), [
    `[CLS]Tom says that *he* sleeps. The pronoun '*he*' refers to[MASK].${end} →  Tom<|endofpiece|>`,
  ]);
  const record = {
    passage: {
      text: 'Ann met Bob.\n@highlight\nAnn left',
      entities: [{ start: 0, end: 2 }, { start: 8, end: 10 }, { start: 24, end: 26 }], // prettier-ignore
    },
    qas: [{ query: 'It was @placeholder who left', answers: [{ text: 'Ann' }], idx: 3 }],
    idx: 1,
  };
  const text = `[CLS]Ann met Bob.\n- Ann left It was[MASK] who left${end}`;
  assert.equal(await worded('record', record, 0), [
    `${text} →  Ann<|endofpiece|>`,
    `${text} →  Bob<|endofpiece|>`,
  ]);
});

superglue('BoolQ, MultiRC, RTE and WiC, every pattern', async () => {
  const all = async (name: string, line: object, count: number) => {
    const texts: string[] = [];
    for (let pattern = 0; pattern < count; pattern++) texts.push(...(await worded(name, line, pattern)));
    return texts.map((text) => text.replace('[CLS]', '').replace(end, ''));
  };
  const boolq = { passage: 'It rains.', question: 'is it wet', label: true, idx: 0 };
  const [noYes, falseTrue] = [' →  No Yes', ' →  false true'];
  assert.equal(await all('boolq', boolq, 6), [
    `It rains. Question: is it wet? Answer:[MASK].${noYes}`,
    `It rains. Question: is it wet? Answer:[MASK].${falseTrue}`,
    `It rains. Based on the previous passage, is it wet?[MASK].${noYes}`,
    `It rains. Based on the previous passage, is it wet?[MASK].${falseTrue}`,
    `Based on the following passage is it wet?[MASK]. It rains.${noYes}`,
    `Based on the following passage is it wet?[MASK]. It rains.${falseTrue}`,
  ]);
  const answers = [{ text: 'water', idx: 0, label: 1 }];
  const multirc = { idx: 0, passage: { text: 'It rains. ', questions: [{ question: 'What falls? ', idx: 0, answers }] } }; // prettier-ignore
  assert.equal(await all('multirc', multirc, 5), [
    `It rains. Question: What falls? Is it water?[MASK].${noYes}`,
    `It rains. Question: What falls? Is the correct answer "water"?[MASK].${noYes}`,
    `It rains. Based on the previous passage, What falls? Is "water" a correct answer?[MASK].${noYes}`,
    'It rains What falls- [[MASK]]water →  False True',
    `It rains. Question: What falls? water?[MASK].${noYes}`,
  ]);
  const rte = { premise: 'It rains.', hypothesis: 'It is wet.', label: 'entailment', idx: 0 };
  assert.equal(await all('rte', rte, 5), [
    '"It is wet" ?[MASK], "It rains." →  Yes No',
    'It is wet?[MASK], It rains. →  Yes No',
    '"It is wet" ?[MASK]. "It rains." →  Yes No',
    'It is wet?[MASK]. It rains. →  Yes No',
    'It rains. question: It is wet True or False? answer:[MASK] →  true false',
  ]);
  const wic = { word: 'bank', sentence1: 'A bank.', sentence2: 'The bank.', label: true, idx: 0 };
  assert.equal(await all('wic', wic, 3), [
    `"A bank." / "The bank." Similar sense of "bank"?[MASK].${noYes}`,
    `A bank. The bank. Does bank have the same meaning in both sentences?[MASK]${noYes}`,
    'bank . Sense (1) (a) "A bank." ([MASK]) "The bank." → 2b',
  ]);
});

superglue('the worked examples of docs/tasks.md', async () => {
  const target = { span2_index: 3, span1_index: 0, span1_text: 'Tom', span2_text: 'he' };
  const answers = [{ text: 'water', idx: 0, label: 1 }];
  const entities = [{ start: 0, end: 2 }, { start: 8, end: 10 }]; // prettier-ignore
  const lines: [string, object][] = [
    ['boolq', { passage: 'It rains.', question: 'is it wet', label: true, idx: 0 }],
    ['multirc', { idx: 0, passage: { text: 'It rains.', questions: [{ question: 'What falls?', idx: 0, answers }] } }], // prettier-ignore
    ['rte', { premise: 'It rains.', hypothesis: 'It is wet.', label: 'entailment', idx: 0 }],
    ['wic', { word: 'bank', sentence1: 'A bank.', sentence2: 'The bank.', label: true, idx: 0 }],
    ['wsc', { text: 'Tom says that he sleeps.', target, label: true, idx: 0 }],
    ['record', { passage: { text: 'Ann met Bob.\n@highlight\nAnn left', entities }, qas: [{ query: 'It was @placeholder who left', answers: [{ text: 'Ann' }], idx: 3 }], idx: 1 }], // prettier-ignore
  ];
  const found: string[] = [];
  for (const [name, line] of lines)
    for (const text of await worded(name, line, 0))
      found.push(`${name.padEnd(9)}${text.replaceAll('\n', '\\n')}`);
  assert.equal(found, workedExamples('boolq'));
  const withStart = (texts: string[]) =>
    texts.map((text) => text.replace(' → ', '  <|startofpiece|>').replace('<|endofpiece|>', ''));
  assert.equal(withStart(await worded('copa', copa, 0)), workedExamples('[CLS]"it was late"'));
  const [ofCb] = await worded('cb', cb, 0);
  assert.equal([ofCb!.replace(/ → .*/, '  <|startofpiece|>')], workedExamples('[CLS]"it was cold"'));
});

superglue('what cannot be cut to fit is named with its line; or counted', async () => {
  const tokenizer = await tinyTokenizer([copa.premise, copa.choice1, copa.choice2], words);
  await withFolder(async (folder) => {
    const file = path.join(folder, 'copa.jsonl');
    const long = { ...copa, choice1: 'it was late '.repeat(40) };
    await writeFile(file, `${JSON.stringify(copa)}\n${JSON.stringify(long)}\n`);
    using model = await tinyModel(tokenizer);
    const options = { model, train: file, dev: file, epochs: 1, taskOptions: { maxLength: 60 } };
    await failsWith('GLM_DATA', /copa\.jsonl:2: expected a text/, () => fineTune(findTask('copa'), options));
    const { records } = await fineTune(findTask('copa'), { ...options, skipBad: true });
    assert.is(records.bad, 1);
  });
});

superglue('what is too long is cut where it may be, the longer text first', async () => {
  const tokenizer = await tinyTokenizer(['a b c d e f g h']);
  await withFolder(async (folder) => {
    const file = path.join(folder, 'cb.jsonl');
    await writeFile(file, JSON.stringify({ ...cb, premise: 'a b c d e f g h', hypothesis: 'a b c d' }));
    const [record] = await recordsOf(findTask('cb'), file);
    const shown = async (maxLength: number) => {
      const task = await findTask('cb').prepare({ tokenizer, maxLength, multiToken: true });
      const [batch] = await task.examples([record!], draw);
      return tokenizer.decode(batch!.ids.slice(0, batch!.contextLengths[0]));
    };
    const whole = await shown(100);
    assert.is(whole, `[CLS]"a b c d" ?[MASK], "a b c d e f g h"${end}`);
    const cuts = new Set<string>();
    for (let maxLength = 60; maxLength > 18; maxLength--) cuts.add(await shown(maxLength));
    assert.ok(cuts.has(`[CLS]"a b c d" ?[MASK], "a b c d e"${end}`), [...cuts].join('\n'));
    assert.ok(![...cuts].some((text) => !text.includes('[MASK], "')));
  });
});

superglue('data that says something wrong: file, line and what; or counted', async () => {
  const tokenizer = await tinyTokenizer([cb.premise, cb.hypothesis], words);
  await withFolder(async (folder) => {
    const file = path.join(folder, 'cb.jsonl');
    const lines = [
      cb,
      { ...cb, label: 'perhaps' },
      { ...cb, premise: undefined },
      { ...cb, hypothesis: ' ' },
    ];
    await writeFile(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"premise": \n`);
    const failure = async (first: number, expected: RegExp) => {
      const bad: GlmError[] = [];
      for await (const record of findTask('cb').read(file, (error) => bad.push(error as GlmError)))
        void record;
      assert.is(bad[first]!.code, 'GLM_DATA');
      assert.match(bad[first]!.message, expected);
    };
    await failure(
      0,
      /cb\.jsonl:2: expected one of entailment, contradiction, neutral in the field label, found perhaps/,
    );
    await failure(1, /cb\.jsonl:3: expected a text in the field premise, found none/);
    await failure(2, /cb\.jsonl:4: expected a text in the field hypothesis, found/);
    await failure(3, /cb\.jsonl:5: expected a JSON object, found \{"premise":/);
    const options = { train: file, dev: file, epochs: 1 };
    using model = await tinyModel(tokenizer);
    try {
      await fineTune(findTask('cb'), { ...options, model });
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, /cb\.jsonl:2/);
    }
    const { records } = await fineTune(findTask('cb'), { ...options, model, skipBad: true });
    assert.equal(records, { train: 1, dev: 1, bad: 4 });
  });
});

superglue('a word that is several tokens is said, unless answers may be', async () => {
  const tokenizer = await tinyTokenizer(['nothing of the kind']);
  await withFolder(async (folder) => {
    const file = path.join(folder, 'cb.jsonl');
    await writeFile(file, JSON.stringify(cb));
    const [record] = await recordsOf(findTask('cb'), file);
    const task = await findTask('cb').prepare({ tokenizer });
    const error = await task.examples([record!], draw).catch((found: GlmError) => found);
    assert.is((error as GlmError).code, 'GLM_TOKENIZER');
    assert.match(
      (error as GlmError).message,
      /cb\.jsonl:1: expected " Yes" to be one token of the model's tokenizer, found \d/,
    );
    const texts = await findTask('cb').prepare({ tokenizer, multiToken: true });
    assert.is((await texts.examples([record!], draw))[0]!.decision?.kind, 'choices');
  });
});

superglue('prediction files are those that the benchmark takes', async () => {
  const tokenizer = await tinyTokenizer(['text']);
  const lines = async (name: string, records: object[], choices: number[]) =>
    (await findTask(name).prepare({ tokenizer })).predictionLines(records as TaskRecord[], choices.map((choice) => ({ choice }))); // prettier-ignore
  assert.equal(await lines('boolq', [{ idx: 4 }], [1]), ['{"idx":4,"label":"true"}']);
  assert.equal(await lines('cb', [{ idx: 4 }], [2]), ['{"idx":4,"label":"neutral"}']);
  assert.equal(await lines('copa', [{ idx: 0 }], [1]), ['{"idx":0,"label":1}']);
  assert.equal(await lines('rte', [{ idx: 1 }], [1]), ['{"idx":1,"label":"not_entailment"}']);
  assert.equal(await lines('wic', [{ idx: 1 }], [0]), ['{"idx":1,"label":"false"}']);
  assert.equal(await lines('wsc', [{ idx: 1 }], [0]), ['{"idx":1,"label":"False"}']);
  assert.equal(await lines('record', [{ idx: 9, entities: ['Ann', 'Bob'] }], [1]), [
    '{"idx":9,"label":"Bob"}',
  ]);
  const answers = [{ idx: [0, 1, 2] }, { idx: [0, 1, 3] }, { idx: [0, 2, 4] }, { idx: [5, 0, 0] }];
  assert.equal(await lines('multirc', answers, [1, 0, 0, 1]), [
    '{"idx":0,"passage":{"questions":[{"idx":1,"answers":[{"idx":2,"label":1},{"idx":3,"label":0}]},{"idx":2,"answers":[{"idx":4,"label":0}]}]}}',
    '{"idx":5,"passage":{"questions":[{"idx":0,"answers":[{"idx":0,"label":1}]}]}}',
  ]);
});

superglue('a classifier reads [CLS] one text [SEP] the other, the longer cut first; only where answers are labels', async () => {
  const tokenizer = await tinyTokenizer([cb.premise, cb.hypothesis]);
  await withFolder(async (folder) => {
    const file = path.join(folder, 'cb.jsonl');
    await writeFile(file, JSON.stringify(cb));
    const [record] = await recordsOf(findTask('cb'), file);
    const shown = async (maxLength: number) => {
      const task = await findTask('cb').prepare({ tokenizer, classifier: true, maxLength });
      const [batch] = await task.examples([record!], draw);
      assert.equal([...batch!.contextLengths], [batch!.ids.length]);
      assert.equal([...batch!.positions], [...batch!.ids.keys()]);
      assert.equal(batch!.decision, { kind: 'classes', labels: Int32Array.of(2) });
      return tokenizer.decode(batch!.ids);
    };
    assert.is(await shown(100), `[CLS]It was cold. I think.[SEP]it was cold.${end}`);
    assert.match(await shown(12), /^\[CLS\]It was.*\[SEP\]it was.*<\|endoftext\|>$/);
    await failsWith('GLM_INVALID_ARGUMENT', /expected options of wsc among .*, found classifier/, () =>
      findTask('wsc').prepare({ tokenizer, classifier: true }),
    );
    using model = await tinyModel(tokenizer);
    await failsWith('GLM_INVALID_ARGUMENT', /a classifier of 3 classes, found 0; fine-tune it/, () =>
      evaluate(model, 'cb', { data: file, taskOptions: { classifier: true } }),
    );
  });
}); // prettier-ignore

superglue('the average counts a task with two metrics once', () => {
  const one = { accuracy: 50 };
  const metrics = { boolq: one, cb: { accuracy: 80, f1: 60 }, copa: one, multirc: { f1a: 60, exactMatch: 20 }, record: { f1: 70, exactMatch: 70 }, rte: one, wic: one, wsc: one }; // prettier-ignore
  assert.is(superGlueAverage(metrics), (5 * 50 + 70 + 40 + 70) / 8);
  assert.is(superGlueAverage({ boolq: one }), undefined);
});

const folders = { boolq: 'BoolQ', cb: 'CB', copa: 'COPA', multirc: 'MultiRC', rte: 'RTE', record: 'ReCoRD', wic: 'WiC', wsc: 'WSC' }; // prettier-ignore
const sets = Object.entries(folders).map(
  ([name, folder]) => [name, `data/superglue/${folder}/train32.jsonl`] as const,
);

async function dataTokenizer(files: readonly string[]): Promise<Tokenizer> {
  return tinyTokenizer(
    files.map((file) => readFileSync(sharedFile(file), 'utf8').replace(/"\w+": |[{}]/g, ' ')),
    words,
  );
}

testWith(superglue, sets.map(([, file]) => file), 'every record of the eight tasks can be asked with every pattern', async () => {
  const tokenizer = await dataTokenizer(sets.map(([, file]) => file));
  const patterns = { boolq: 6, cb: 5, copa: 3, multirc: 5, rte: 5, record: 1, wic: 3, wsc: 3 };
  for (const [name, file] of sets) {
    const task = findTask(name);
    const records = await recordsOf(task, sharedFile(file));
    assert.ok(records.length >= 32, name);
    for (let pattern = 0; pattern < patterns[name as keyof typeof patterns]; pattern++) {
      const prepared = await task.prepare({ tokenizer, pattern, multiToken: true, maxLength: 1000 });
      await prepared.examples(records.slice(0, 8), draw);
    }
    const beyond = await task.prepare({ tokenizer, pattern: patterns[name as keyof typeof patterns] }).catch((error: GlmError) => error); // prettier-ignore
    assert.is((beyond as GlmError).code, 'GLM_INVALID_ARGUMENT', name);
  }
}); // prettier-ignore

for (const name of ['cb', 'copa', 'rte'] as const) {
  const [file, dev] = [
    `data/superglue/${folders[name]}/train32.jsonl`,
    `data/superglue/${folders[name]}/dev32.jsonl`,
  ];
  testWith(superglue, [file, dev], `${name}: 32 examples are learned by heart, dev is scored`, async () => {
    using model = await tinyModel(await dataTokenizer([file]));
    const losses: number[] = [];
    const result = await fineTune(findTask(name), {
      model,
      train: sharedFile(file),
      dev: sharedFile(dev),
      epochs: 30,
      learningRate: 4e-3,
      dropout: 0,
      evaluateEvery: 30,
      taskOptions: { maxLength: 300 },
      onEvent: (event) => event.type === 'step' && losses.push(event.loss),
    });
    assert.ok(losses.length === 60 && losses[0]! > 0.5, `the first loss is ${losses[0]}`);
    const last = losses.slice(-2).reduce((sum, loss) => sum + loss / 2, 0);
    assert.ok(last < 0.05, `the last loss is ${last}`);
    const { accuracy } = result.best.metrics;
    assert.ok(accuracy! > 0 && accuracy! <= 100);
    assert.is(result.records.dev, 32);
  });
}

const cbFile = 'data/superglue/CB/train32.jsonl';
testWith(
  superglue,
  [cbFile],
  'cb: a classifier learns 32 examples by heart, and is saved with the model',
  () =>
    withFolder(async (folder) => {
      const start = path.join(folder, 'model');
      using model = await tinyModel(await dataTokenizer([cbFile]));
      await model.save(start);
      const data = sharedFile(cbFile);
      const out = path.join(folder, 'run');
      const taskOptions = { classifier: true };
      const { best } = await fineTune(findTask('cb'), {
        ...{ model: start, train: data, dev: data, out, threads: 2 },
        ...{ epochs: 40, learningRate: 2e-3, dropout: 0, evaluateEvery: 40, taskOptions },
      });
      assert.ok(best.trainingLoss < 0.6, `the mean loss is ${best.trainingLoss}`);
      assert.is(best.metrics['accuracy'], 100);
      using tuned = await GLM.load(path.join(out, 'best'));
      assert.is(tuned.config.num_labels, 3);
      assert.equal((await evaluate(tuned, 'cb', { data, taskOptions })).metrics, best.metrics);
      // Filling blanks has no use for the classifier.
      const cloze = { train: data, epochs: 1, taskOptions: { multiToken: true } };
      await failsWith('GLM_INVALID_ARGUMENT', /expected a model with num_labels 0, found 3/, () =>
        fineTune(findTask('cb'), { ...cloze, model: tuned }),
      );
      await fineTune(findTask('cb'), { ...cloze, model: path.join(out, 'best') });
    }),
);

superglue.run();
