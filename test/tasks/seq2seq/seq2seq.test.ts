/** Writing texts: what is fed, bad data, decoding settings, scores, and that fine-tuning learns. */

import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { parquetWriteBuffer } from 'hyparquet-writer';

import { GLM } from '../../../ts/glm.js';
import { evaluate } from '../../../ts/tasks/evaluation/evaluate.js';
import type { FineTuneResult } from '../../../ts/tasks/fine-tune/options.js';
import { fineTune } from '../../../ts/tasks/fine-tune/fine-tune.js';
import { findTask } from '../../../ts/tasks/tasks.js';
import type { Tokenizer } from '../../../ts/text/tokenizer.js';
import { glm } from '../../cli/command.js';
import { failsWith } from '../../support/fails-with.js';
import { withFolder } from '../../support/folder.js';
import { sharedFile, testWith } from '../../text/shared-files.js';
import { noDraw, recordsOf, shown, workedExamples } from '../support.js';
import { tinyModel, tinyTokenizer } from '../tiny.js';

const writing = suite('tasks: writing texts');
const eop = '<|endofpiece|>';
const pair = {
  source: "the cat -LRB- black -RRB- did n't eat . <S_SEP> it `` slept '' .",
  target: "cat did n't eat . <S_SEP> it 's black .",
};
const tokenizer = await tinyTokenizer([...Object.values(pair), ' Content: Question: Answer: cat it [SEP]']);

/** The example that a task makes of a pair of lines or of an object. */
async function exampleOf(name: string, data: typeof pair | object, options: object = {}) {
  return withFolder(async (folder) => {
    const lines = 'source' in data && !('json' in data);
    const file = path.join(folder, lines ? 'data.source' : 'data.jsonl');
    if (lines) {
      await writeFile(file, `${data.source}\n`);
      await writeFile(path.join(folder, 'data.target'), `${data.target}\n`);
    } else {
      await writeFile(file, JSON.stringify(data));
    }
    const records = await recordsOf(name, file);
    const prepared = await findTask(name).prepare({ tokenizer, ...options });
    return (await prepared.examples(records, noDraw))[0]!;
  });
}

writing('CNN/DailyMail, tokenized: brackets, quotes and contractions as written, [SEP] between sentences', async () => {
  const batch = await exampleOf('cnndm', pair);
  assert.equal(await shown(batch, tokenizer), [
    `[CLS][sMASK] Content: the cat ( black ) didn't eat .  it " slept " .`,
    ` cat didn't eat . [SEP] it's black .${eop}`,
  ]);
  const { special } = tokenizer;
  const length = batch.contextLengths[0]!;
  assert.equal([...batch.ids.slice(0, 2)], [special.cls, special.smask]);
  assert.equal([...batch.positions.slice(length)], Array(batch.ids.length - length).fill(1));
  assert.is(batch.blockPositions.at(-1), batch.ids.length - length);
  assert.is(batch.ids[length], special.sop);
  assert.equal([...batch.ids.slice(length + 1)], [...batch.targets!.slice(length, -1)]);
}); // prettier-ignore

writing('CNN/DailyMail as written, XSum, Gigaword, and pairs of one’s own', async () => {
  const article = { article: 'It “rained” – a lot.', highlights: 'It rained.\nA lot.' };
  assert.equal(await shown(await exampleOf('cnndm-original', article), tokenizer), [
    '[CLS][sMASK] Content: It "rained" - a lot.',
    ` It rained. A lot.${eop}`,
  ]);
  const news = { document: 'First.\nSecond.', summary: 'Both.' };
  assert.equal(await shown(await exampleOf('xsum', news), tokenizer), [
    '[CLS][sMASK] Content: First. Second.',
    ` Both.${eop}`,
  ]);
  const lines = { source: 'UNK &amp; sons -lrb- ##.# % -rrb-', target: 'unk UNK' };
  assert.equal(await shown(await exampleOf('gigaword', lines), tokenizer), [
    '[CLS][sMASK] Content: [UNK] & sons ( ##.# % )',
    ` unk [UNK]${eop}`,
  ]);
  assert.equal(await shown(await exampleOf('seq2seq', { ...pair, json: 1 }), tokenizer), [
    `[CLS][sMASK] Content: ${pair.source}`,
    ` ${pair.target}${eop}`,
  ]);
});

writing('the worked examples of docs/tasks.md', async () => {
  const examples: [name: string, record: object][] = [
    ['cnndm', { source: "the cat -LRB- black -RRB- did n't eat .", target: 'it slept . <S_SEP> it ate .' }],
    ['cnndm-original', { article: 'It “rained” – a lot.', highlights: 'It rained.\nA lot.' }],
    ['xsum', { document: 'First.\nSecond.', summary: 'Both.' }],
    ['gigaword', { source: 'UNK &amp; sons -lrb- ##.# % -rrb-', target: 'unk UNK' }],
    ['seq2seq', { source: 'A waste of time. I slept.', target: 'bad', json: 1 }],
    ['squad-questions', { context: 'The old cat sat.', question: 'Who sat?', answer: 'cat' }],
  ];
  const found: string[] = [];
  for (const [name, record] of examples) {
    const [context, target] = await shown(await exampleOf(name, record), tokenizer);
    found.push(`${name.padEnd(16)}${context} → ${target}`);
  }
  assert.equal(found, workedExamples('cnndm'));
});

writing(
  'lengths: the end of the source is cut, and the end of the target with its end-of-piece',
  async () => {
    const options = { maxLength: 12, maxTargetLength: 3 };
    const whole = await exampleOf('cnndm', pair);
    const cut = await exampleOf('cnndm', pair, options);
    assert.is(cut.contextLengths[0], 12);
    assert.equal([...cut.ids.slice(0, 12)], [...whole.ids.slice(0, 12)]);
    const length = whole.contextLengths[0]!;
    assert.equal([...cut.targets!.slice(12)], [...whole.targets!.slice(length, length + 3)]);
    const inShort = await exampleOf('cnndm', pair, { positions: 9 });
    assert.is(inShort.contextLengths[0], 9);
  },
);

writing('padding is left away, or attended where the original’s numbers are wanted', async () => {
  const maxLength = 100;
  const plain = await exampleOf('cnndm', pair, { maxLength });
  const padded = await exampleOf('cnndm', pair, { maxLength, attendPadding: true });
  const length = plain.contextLengths[0]!;
  assert.ok(length < maxLength);
  assert.is(padded.contextLengths[0], maxLength);
  assert.equal([...padded.ids.slice(0, length)], [...plain.ids.slice(0, length)]);
  const fill = padded.ids.slice(length, maxLength);
  assert.ok(fill.length > 0 && fill.every((id) => id === tokenizer.special.pad));
  assert.equal([...padded.positions.slice(length, maxLength)], [...fill.keys()].map((i) => length + i)); // prettier-ignore
  assert.equal([...padded.positions.slice(maxLength)], [...plain.positions.slice(length)]);
  assert.equal([...padded.ids.slice(maxLength)], [...plain.ids.slice(length)]);
  using model = await tinyModel(tokenizer);
  const [alone, attended] = [await model.loss(plain), await model.loss(padded)];
  assert.is(alone.tokens, attended.tokens);
  assert.ok(Math.abs(alone.loss - attended.loss) > 1e-4);
});

writing('SQuAD questions: paragraph, blank, answer; a long paragraph is cut around the answer', async () => {
  const record = { context: 'The old cat sat. ', question: 'Who sat?', answer: 'cat' };
  assert.equal(await shown(await exampleOf('squad-questions', record), tokenizer), [
    '[CLS]The old cat sat. Question:[sMASK] Answer: cat',
    ` Who sat?${eop}`,
  ]);
  const before = 'x y z '.repeat(20);
  const long = { ...record, context: `${before}the cat sat ${before}` };
  const batch = await exampleOf('squad-questions', long, { maxLength: 30 });
  assert.is(batch.contextLengths[0], 30);
  const [text] = await shown(batch, tokenizer);
  assert.match(text, / the cat sat x.*\[sMASK\] Answer: cat$/);
  await withFolder(async (folder) => {
    const file = path.join(folder, 'dev.json');
    const answers = ['cat', 'old cat', 'cat'].map((text) => ({ text, answer_start: 0 }));
    const qas = [{ id: 'q1', question: 'Who sat?', answers }, { id: 'q2', question: ' ', answers }]; // prettier-ignore
    const data = [{ paragraphs: [{ context: record.context, qas }] }];
    for (const value of [data, { data }]) {
      await writeFile(file, JSON.stringify(value));
      await failsWith(
        'GLM_DATA',
        /dev\.json, article 1, paragraph 1, q2: expected a text in the field question, found an empty/,
        () => recordsOf('squad-questions', file),
      );
      await writeFile(file, JSON.stringify(value).replace('" "', '"Why?"'));
      const records = await recordsOf('squad-questions', file);
      assert.equal(
        records.map(({ where }) => where.replace(/.*paragraph 1, /, '')),
        ['q1', 'q1', 'q2', 'q2'],
      );
    }
  });
});

writing('SQuAD: what is wrong with an article or a paragraph is named; or counted', () =>
  withFolder(async (folder) => {
    const file = path.join(folder, 'dev.json');
    const qas = [{ id: 'q1', question: 'Who sat?', answers: [{ text: 'cat' }] }];
    const good = { context: 'The old cat sat.', qas };
    const data = [{ paragraphs: [good, { qas }, { context: 'a' }] }, {}, { paragraphs: [good] }];
    await writeFile(file, JSON.stringify({ data }));
    const bad: string[] = [];
    const records: unknown[] = [];
    for await (const record of findTask('squad-questions').read(file, (error) =>
      bad.push((error as Error).message),
    ))
      records.push(record);
    assert.is(records.length, 2);
    assert.equal(bad.map((message) => message.replace(/.*dev.json, /, '')), [
      'article 1, paragraph 2: expected a text in the field context, found none',
      'article 1, paragraph 3: expected a list in the field qas, found none',
      'article 2: expected a list in the field paragraphs, found none',
    ]); // prettier-ignore
  }),
);

writing('bad data: file and line; or counted', () =>
  withFolder(async (folder) => {
    const file = path.join(folder, 'test.source');
    const write = (sources: string[], targets: string[]) =>
      Promise.all([
        writeFile(file, sources.join('\n')),
        writeFile(path.join(folder, 'test.target'), targets.join('\n')),
      ]);
    const fails = (expected: RegExp) => failsWith('GLM_DATA', expected, () => recordsOf('gigaword', file));
    await write(['a', 'b'], ['c']);
    await fails(/test\.source:2: expected a line for it in .*test\.target, found none/);
    await write(['a'], ['c', 'd']);
    await fails(/test\.target: expected as many lines as .*test\.source has, found more behind .*target:1/);
    await write(['a', ' '], ['c', 'd']);
    await fails(/test\.source:2: expected a source text, found an empty text/);
    await write(['a', 'b'], ['', 'd']);
    await fails(/test\.source:1: expected a target text, found an empty text/);

    await write(['cat', 'a [sMASK] of its own', ' '], ['the', 'it', 'cat']);
    using model = await tinyModel(tokenizer);
    const options = { data: file, taskOptions: { maxTargetLength: 4, beams: 2 } };
    await failsWith('GLM_DATA', /test\.source:3: expected a source text, found an empty/, () =>
      evaluate(model, 'gigaword', options),
    );
    const predictions = path.join(folder, 'out.txt');
    const result = await evaluate(model, 'gigaword', { ...options, predictions, skipBad: true });
    assert.equal([result.examples, result.bad], [1, 2]);
    assert.is((await readFile(predictions, 'utf8')).split('\n').length, 2);
    const data = path.join(folder, 'missing.jsonl');
    await writeFile(data, '{"document": "a"}');
    await failsWith('GLM_DATA', /missing\.jsonl:1: expected a text in the field summary or target, found none/, () =>
      evaluate(model, 'xsum', { data }),
    ); // prettier-ignore
    await failsWith('GLM_INVALID_ARGUMENT', /options of xsum among maxLength, .*, found pattern/, () =>
      evaluate(model, 'xsum', { data, taskOptions: { pattern: 1 } }),
    );
  }),
);

writing('the files of the Hub: rows of Parquet, in shards, found in the folder', () =>
  withFolder(async (folder) => {
    const column = (name: string, data: unknown[], type?: 'STRING') => ({
      name,
      data,
      ...(type && { type }),
    });
    const write = (name: string, columnData: ReturnType<typeof column>[]) =>
      writeFile(path.join(folder, name), new Uint8Array(parquetWriteBuffer({ columnData })));
    const texts = (...data: string[]) => column('document', data, 'STRING');
    await write('train-00000-of-00002.parquet', [texts('the cat', 'it'), column('summary', ['cat', 'it slept'], 'STRING')]); // prettier-ignore
    await write('train-00001-of-00002.parquet', [texts('black'), column('summary', ['eat'], 'STRING')]);
    await write('validation-00000-of-00001.parquet', [texts('the cat'), column('summary', [''], 'STRING')]);
    const [first] = await recordsOf('xsum', path.join(folder, 'train-00001-of-00002.parquet'));
    assert.match(first!.where, /train-00001-of-00002\.parquet: row 1$/);
    await failsWith(
      'GLM_DATA',
      /validation-.*parquet: row 1: expected a text in the field summary or target/,
      () => recordsOf('xsum', path.join(folder, 'validation-00000-of-00001.parquet')),
    );
    using model = await tinyModel(tokenizer);
    await model.save(path.join(folder, 'model'));
    const args = ['finetune', 'xsum', '--model', path.join(folder, 'model'), '--data', folder, '--epochs', '1', '--beams', '1', '--max-target-length', '12']; // prettier-ignore
    const found = await glm(...args, '--skip-bad', '--json', '--max-length', '400');
    assert.is(found.status, 0, found.stderr);
    const { records, best } = JSON.parse(found.stdout) as FineTuneResult;
    assert.equal(records, { train: 3, dev: 0, bad: 1 });
    assert.equal(best.metrics, {});
    const answers = [{ text: ['cat', 'cat', 'the cat'], answer_start: [4, 4, 0] }];
    await write('dev.parquet', [
      column('context', ['the cat']),
      column('question', ['it']),
      column('answers', answers),
    ]);
    assert.is((await recordsOf('squad-questions', path.join(folder, 'dev.parquet'))).length, 2);
  }),
);

writing('a folder with <split>.source and .target beside each other', () =>
  withFolder(async (folder) => {
    using model = await tinyModel(tokenizer);
    await model.save(path.join(folder, 'model'));
    for (const [split, count] of [
      ['train', 3],
      ['val', 2],
    ] as const)
      // prettier-ignore
      for (const [ending, text] of Object.entries(pair))
        await writeFile(path.join(folder, `${split}.${ending}`), `${text}\n`.repeat(count));
    const args = ['finetune', 'cnndm', '--model', path.join(folder, 'model'), '--data', folder, '--epochs', '1', '--beams', '1', '--min-target-length', '0', '--max-target-length', '8', '--json']; // prettier-ignore
    const found = await glm(...args);
    assert.is(found.status, 0, found.stderr);
    const { records, best } = JSON.parse(found.stdout) as FineTuneResult;
    assert.equal(records, { train: 3, dev: 2, bad: 0 });
    assert.type(best.metrics['rougeLsum'], 'number');
  }),
);

writing('a context beyond the model’s positions extends them', () =>
  withFolder(async (folder) => {
    const file = path.join(folder, 'train.source');
    await writeFile(file, `${'the cat '.repeat(400)}\n`);
    await writeFile(path.join(folder, 'train.target'), 'cat\n');
    using model = await tinyModel(tokenizer);
    const start = path.join(folder, 'model');
    const out = path.join(folder, 'out');
    await model.save(start);
    const options = { train: file, epochs: 1, threads: 2, taskOptions: { maxLength: 450 } };
    await fineTune(findTask('gigaword'), { ...options, model: start, out });
    using tuned = await GLM.load(path.join(out, 'best'));
    assert.is(tuned.config.max_sequence_length, 450);
    await failsWith(
      'GLM_INVALID_ARGUMENT',
      /max_sequence_length 450, found 384; give its folder, or load it/,
      () => fineTune(findTask('gigaword'), { ...options, model }),
    );
  }),
);

/** A model that writes "the" to "cat", and so on. */
async function learned(tokenizer: Tokenizer, file: string): Promise<GLM> {
  const model = await tinyModel(tokenizer);
  await fineTune(findTask('seq2seq'), {
    ...{ model, train: file, epochs: 40, learningRate: 5e-3, batchSize: 4, labelSmoothing: 0, dropout: 0 },
  });
  return model;
}

writing('what is written obeys the settings; scores compare it with the target', () =>
  withFolder(async (folder) => {
    const file = path.join(folder, 'train.source');
    await writeFile(file, 'black\nslept\nthe cat\nit\n');
    await writeFile(path.join(folder, 'train.target'), 'it slept\nthe cat did eat\nblack\neat it black\n');
    using model = await learned(tokenizer, file);
    const { metrics } = await evaluate(model, 'seq2seq', { data: file });
    assert.equal(metrics, { rouge1: 100, rouge2: 75, rougeLsum: 100 }); // one target has no bigram
    const out = path.join(folder, 'predictions.txt');
    const write = async (taskOptions: object) => {
      await evaluate(model, 'seq2seq', { data: file, predictions: out, taskOptions: { ...taskOptions } });
      return (await readFile(out, 'utf8')).trimEnd().split('\n');
    };
    assert.equal(await write({}), ['it slept', 'the cat did eat', 'black', 'eat it black']);
    const short = await write({ maxTargetLength: 1 });
    assert.ok(
      short.every((text) => text.split(' ').length === 1),
      short.join('|'),
    );
    const long = await write({ minTargetLength: 6 });
    for (const text of long)
      assert.ok((await tokenizer.encode(` ${text}`)).length >= 6, `${text} has fewer than 6 tokens`);
    // Sentences of at most four words are left out, as the original does: nothing is left to be scored.
    const { metrics: none } = await evaluate(model, 'seq2seq', { data: file, taskOptions: { postProcess: true } }); // prettier-ignore
    assert.equal(none, { rouge1: 0, rouge2: 0, rougeLsum: 0 });

    await model.save(path.join(folder, 'model'));
    const command = await glm('eval', 'seq2seq', '--model', path.join(folder, 'model'), '--data', file, '--beams', '2', '--json'); // prettier-ignore
    assert.is(command.status, 0, command.stderr);
    assert.is((JSON.parse(command.stdout) as { metrics: { rouge1: number } }).metrics.rouge1, 100);
  }),
);

const shared = ['data/cnndm/test_half.source', 'data/cnndm/validation15.jsonl', 'data/xsum/pairs_first500.jsonl', 'data/gigaword/test_first1000.source', 'data/squad/squad-v1.1-dev-subset-half.json'] as const; // prettier-ignore

testWith(writing, shared, 'every record of the real sets can be asked', async () => {
  const [cnndm, original, xsum, gigaword, squad] = shared.map((file) => sharedFile(file));
  const sets = [['cnndm', cnndm!, 50], ['cnndm-original', original!, 15], ['xsum', xsum!, 500], ['gigaword', gigaword!, 1000], ['squad-questions', squad!, 612]] as const; // prettier-ignore
  for (const [name, file, count] of sets) {
    const records = await recordsOf(name, file);
    assert.is(records.length, count, name);
    const prepared = await findTask(name).prepare({ tokenizer });
    const examples = await prepared.examples(records.slice(0, 40), noDraw);
    // A source of Gigaword is one unknown word.
    assert.ok(examples.every(({ contextLengths }) => contextLengths[0]! > 3));
  }
});

const headlines = 'data/gigaword/test_first1000';
testWith(writing, [`${headlines}.source`, `${headlines}.target`], 'Gigaword: 32 headlines are learned by heart', () =>
  withFolder(async (folder) => {
    const first = (ending: string) =>
      readFileSync(sharedFile(`${headlines}.${ending}`), 'utf8').split('\n').slice(0, 32);
    const file = path.join(folder, 'train.source');
    await writeFile(file, first('source').join('\n'));
    await writeFile(path.join(folder, 'train.target'), first('target').join('\n'));
    using model = await tinyModel(await tinyTokenizer([...first('source'), ...first('target')]));
    const losses: number[] = [];
    const { best } = await fineTune(findTask('gigaword'), {
      ...{ model, train: file, dev: file, epochs: 80, learningRate: 8e-3 },
      ...{ labelSmoothing: 0, dropout: 0, evaluateEvery: 80 },
      taskOptions: { beams: 2 },
      onEvent: (event) => event.type === 'step' && losses.push(event.loss),
    });
    assert.ok(losses[0]! > 4, `the first loss is ${losses[0]}`);
    const last = (losses.at(-1)! + losses.at(-2)!) / 2;
    assert.ok(last < 0.1, `the last loss is ${last}`);
    assert.ok(best.metrics['rouge1']! > 90, JSON.stringify(best.metrics));
  })); // prettier-ignore

writing.run();
