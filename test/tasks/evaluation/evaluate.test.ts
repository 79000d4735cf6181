/** Evaluations against scores that are computed here from logits, text by text; bad data, stopping, the command. */

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { type Batch, concatBatches } from '../../../ts/data/batch.js';
import { GLM } from '../../../ts/glm.js';
import { Fields } from '../../../ts/tasks/data-files.js';
import { continuation } from '../../../ts/tasks/evaluation/continuation.js';
import { evaluate } from '../../../ts/tasks/evaluation/evaluate.js';
import type { EvaluationOptions } from '../../../ts/tasks/evaluation/evaluation.js';
import { lastWordExample } from '../../../ts/tasks/evaluation/lambada.js';
import { readQuestion } from '../../../ts/tasks/evaluation/multichoice.js';
import { windows } from '../../../ts/tasks/evaluation/windows.js';
import { glm } from '../../cli/command.js';
import { failsWith } from '../../support/fails-with.js';
import { withFolder } from '../../support/folder.js';
import { Trainer } from '../../../ts/train/trainer.js';
import { workedExamples } from '../support.js';
import { tinyModel, tinyTokenizer } from '../tiny.js';

const evaluations = suite('evaluation');
const sentence = 'the small cat sat on the long mat and looked at the old dog in the warm house';
const words = [...new Set(sentence.split(' '))];
/** Sentences of these words in every order. */
const passages = Array.from({ length: 11 }, (_, i) =>
  Array.from({ length: 6 + i }, (_, j) => words[(i * 5 + j * j + j) % words.length]).join(' '),
);
const tokenizer = await tinyTokenizer([sentence, ...passages]);
const model = await tinyModel(tokenizer);
const { special } = tokenizer;

/** Learns the last words of some passages, so that some are right. */
async function learnLastWords(): Promise<void> {
  const cut = { tokenizer, sequenceLength: 384, where: '' };
  const examples = await Promise.all(
    passages
      .slice(0, 7)
      .flatMap((passage) => [
        lastWordExample(passage, { ...cut, direction: 'bidirectional' }),
        lastWordExample(passage, { ...cut, direction: 'unidirectional' }),
      ]),
  );
  const data = () => [concatBatches(examples)];
  using trainer = new Trainer(model, { data, steps: 25, optimizer: { learningRate: 5e-3 }, dropout: 0 });
  for await (const event of trainer.run()) assert.is.not(event.type, 'overflow');
}
await learnLastWords();

/** Natural logarithms of the probabilities of each row, in float64. */
async function logProbabilities(model: GLM, batch: Batch): Promise<Float64Array[]> {
  const { logits } = await model.forward(batch);
  const { vocab_size } = model.config;
  return Array.from(batch.ids, (_, row) => {
    const own = Float64Array.from(logits.subarray(row * vocab_size, (row + 1) * vocab_size));
    const most = own.reduce((a, b) => Math.max(a, b));
    const total = most + Math.log(own.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
    return own.map((logit) => logit - total);
  });
}

/** Losses of a batch's targets, and whether each is the likeliest token. */
async function scored(model: GLM, batch: Batch) {
  const rows = await logProbabilities(model, batch);
  return rows.flatMap((logs, i) => {
    if (batch.lossMask![i] !== 1) return [];
    const target = batch.targets![i]!;
    return [{ loss: -logs[target]!, likeliest: logs.every((log) => log <= logs[target]!) }];
  });
}

const close = (found: number | undefined, expected: number) =>
  assert.ok(Math.abs(found! - expected) < 2e-5 * Math.abs(expected), `expected ${expected}, found ${found}`);

async function withFile<T>(name: string, text: string, body: (file: string) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const file = path.join(folder, name);
    await writeFile(file, text);
    return body(file);
  });
}

const jsonLines = (records: readonly object[]) =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');

/** A model whose vocabulary ends before start-of-piece, as GPT-2's does. */
function leftToRightModel<T>(body: (model: GLM) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const sizes = { num_layers: 1, hidden_size: 32, num_attention_heads: 2, max_sequence_length: 64 };
    const config = { ...sizes, vocab_size: special.sop, block_position_encoding: false };
    const made = await GLM.create(config, { device: 'cpu', threads: 1 });
    await made.save(folder);
    made.dispose();
    await tokenizer.save(folder);
    using loaded = await GLM.load(folder, { device: 'cpu', threads: 1 });
    return await body(loaded);
  });
}

for (const [name, unidirectional] of [
  ['bidirectional', false],
  ['unidirectional', true],
] as const) {
  evaluations(`perplexity of texts, ${name}`, () =>
    withFile('texts.txt', `${passages.join('\n')}\n\n`, async (file) => {
      const options = { data: file, unidirectional, sequenceLength: 8, overlap: 3, batchSize: 4 };
      const { metrics, examples, details, task } = await evaluate(model, 'ppl', options);
      let [loss, tokens, all, count] = [0, 0, 0, 0];
      for (const passage of passages) {
        const document = await tokenizer.encode(passage);
        all += document.length - 1;
        count += passage.split(' ').length - 1;
        for (const window of windows(document, { special, direction: name, sequenceLength: 8, overlap: 3 })) {
          for (const { loss: own } of await scored(model, window)) {
            loss += own;
            tokens++;
          }
        }
      }
      assert.is(task, 'ppl');
      assert.is(examples, passages.length);
      assert.is(tokens, all);
      close(metrics['loss'], loss / tokens);
      close(metrics['perplexity'], Math.exp(loss / tokens));
      close(metrics['adjustedPerplexity'], Math.exp(loss / count));
      assert.equal(details, { direction: name, sequenceLength: 8, overlap: 3, tokens: all, words: count });
    }),
  );

  evaluations(`LAMBADA, ${name}`, () =>
    withFile('passages.jsonl', jsonLines(passages.map((text) => ({ text }))), async (file) => {
      const options = { data: file, unidirectional, batchSize: 3 };
      const { metrics, examples } = await evaluate(model, 'lambada', options);
      let [right, loss, tokens] = [0, 0, 0];
      for (const passage of passages) {
        const cut = { tokenizer, direction: name, sequenceLength: 384, where: '' };
        const answer = await scored(model, await lastWordExample(passage, cut));
        if (answer.every(({ likeliest }) => likeliest)) right++;
        for (const own of answer) loss += own.loss;
        tokens += answer.length;
      }
      assert.is(examples, passages.length);
      close(metrics['perplexity'], Math.exp(loss / tokens));
      close(metrics['accuracy'], (100 * right) / passages.length);
      assert.ok(right > 0 && right < passages.length, `${right} are right`);
    }),
  );
}

evaluations('WikiText: the file is one text, its words are those before it is detokenized', () =>
  withFile('wiki.tokens', ` = The cat = \n \n the cat , the dog @-@ house . \n`, async (file) => {
    const { metrics, examples, details } = await evaluate(model, 'wikitext', {
      data: file,
      sequenceLength: 16,
    });
    const document = await tokenizer.encode(' = The cat =\n\nthe cat, the dog-house.\n');
    assert.is(examples, 1);
    assert.equal(details!['tokens'], document.length - 1);
    // "=", "The", "cat", "=", "\n", "\n", "the", "cat", ",", "the", "dog", "@-@", "house", "."; the first is not predicted.
    assert.equal(details!['words'], 13);
    assert.equal(details!['overlap'], 8);
    close(metrics['adjustedPerplexity'], Math.exp((metrics['loss']! * (document.length - 1)) / 13));
  }),
);

const questions = passages.map((text, i) => ({
  inputs_pretokenized: i % 2 ? text : `${text}[MASK]`,
  choices_pretokenized: [' dog', ' old cat', ' house'],
  label: i % 3,
}));

evaluations('choices in a blank are scored as model.score does', () =>
  withFile('questions.jsonl', jsonLines(questions), async (file) => {
    for (const lengthPenalty of [0, 1]) {
      const { metrics } = await evaluate(model, 'multichoice', { data: file, lengthPenalty, batchSize: 4 });
      let right = 0;
      for (const { inputs_pretokenized, choices_pretokenized, label } of questions) {
        const scores = await model.score(inputs_pretokenized, choices_pretokenized, { lengthPenalty });
        if (scores.indexOf(Math.max(...scores)) === label) right++;
      }
      close(metrics['accuracy'], (100 * right) / questions.length);
    }
  }),
);

evaluations('choices behind a text, from left to right', () =>
  withFile('questions.jsonl', jsonLines(questions), async (file) => {
    const best = async (asked: GLM, examples: (text: Int32Array, choice: Int32Array) => Batch) => {
      let right = 0;
      for (const { inputs_pretokenized, choices_pretokenized, label } of questions) {
        const text = await tokenizer.encode(inputs_pretokenized.replace('[MASK]', ''));
        const sums: number[] = [];
        for (const choice of choices_pretokenized) {
          const losses = await scored(asked, examples(text, await tokenizer.encode(choice)));
          sums.push(losses.reduce((sum, { loss }) => sum + loss, 0));
        }
        if (sums.indexOf(Math.min(...sums)) === label) right++;
      }
      return (100 * right) / questions.length;
    };
    const { metrics, details } = await evaluate(model, 'multichoice', { data: file, unidirectional: true });
    const mask = special.gmask ?? special.mask;
    const expected = await best(model, (text, choice) => {
      const part = Int32Array.from([...text.subarray(1), ...choice]);
      const context = [special.cls, text[0]!, mask, special.eos];
      const length = context.length + part.length;
      return {
        ids: Int32Array.from([...context, special.sop, ...part.subarray(0, -1)]),
        positions: Int32Array.from({ length }, (_, i) => (i < 4 ? i : 2)),
        blockPositions: Int32Array.from({ length }, (_, i) => Math.max(0, i - 3)),
        offsets: Int32Array.of(0, length),
        contextLengths: Int32Array.of(4),
        targets: Int32Array.from([...context, ...part]),
        lossMask: Uint8Array.from({ length }, (_, i) => (i >= length - choice.length ? 1 : 0)),
      };
    });
    assert.is(details!['direction'], 'unidirectional');
    close(metrics['accuracy'], expected);
    await leftToRightModel(async (gpt) => {
      const { metrics, details } = await evaluate(gpt, 'multichoice', { data: file });
      assert.is(details!['direction'], 'leftToRight');
      const expected = await best(gpt, (text, choice) => {
        const all = Int32Array.from([...text, ...choice]);
        const length = all.length - 1;
        return {
          ids: all.slice(0, -1),
          positions: Int32Array.from({ length }, (_, i) => i),
          blockPositions: new Int32Array(length),
          offsets: Int32Array.of(0, length),
          contextLengths: Int32Array.of(0),
          targets: all.slice(1),
          lossMask: new Uint8Array(length).fill(1, length - choice.length),
        };
      });
      close(metrics['accuracy'], expected);
    });
  }),
);

evaluations('the worked examples of docs/tasks.md', async () => {
  const text = 'the cat sat on the mat';
  const line = { inputs_pretokenized: 'the cat sat on the[MASK]', choices_pretokenized: [' mat', ' house'], label: 0 }; // prettier-ignore
  const found: string[] = [];
  const show = (name: string, examples: readonly string[]) =>
    found.push(...examples.map((example, i) => `${(i === 0 ? name : '').padEnd(29)}${example}`));
  /** What is given in brackets before what is scored. */
  const worded = async ({ ids, contextLengths, targets, lossMask }: Batch) => {
    const length = contextLengths[0]!;
    const part = (scored: number) =>
      tokenizer.decode(targets!.filter((_, i) => i >= length && lossMask![i] === scored));
    const given = await part(0);
    return `${await tokenizer.decode(ids.slice(0, length))} → ${given && `(${given})`}${await part(1)}`;
  };
  for (const direction of ['bidirectional', 'unidirectional'] as const) {
    const both = direction === 'bidirectional';
    const flag = both ? '' : ' --unidirectional';
    const cut = { tokenizer, special, direction, sequenceLength: 384, where: '' };
    show(`lambada${flag}`, [await worded(await lastWordExample(text, cut))]);
    const window = { ...cut, sequenceLength: 6, overlap: 2 };
    const all = [...windows(await tokenizer.encode(text), window)];
    show(both ? 'wikitext, ppl' : `wikitext${flag}`, await Promise.all(all.map(worded)));
    const { input, choices } = await readQuestion(new Fields('', line), tokenizer, direction, 384);
    show(
      `multichoice${flag}`,
      await Promise.all(
        choices.map(async (choice) =>
          both
            ? `${await tokenizer.decode(input)} → ${await tokenizer.decode(choice)}`
            : worded(continuation(input, choice, { special, direction, eos: true })),
        ),
      ),
    );
  }
  assert.equal(found, workedExamples('lambada'));
});

evaluations('a model that cannot write into blanks is evaluated from left to right', () =>
  leftToRightModel((gpt) =>
    withFile('passages.jsonl', jsonLines(passages.map((text) => ({ text }))), async (file) => {
      const { metrics, details } = await evaluate(gpt, 'ppl', { data: file, sequenceLength: 16 });
      assert.is(details!['direction'], 'leftToRight');
      assert.ok(metrics['perplexity']! > 1);
      assert.is((await evaluate(gpt, 'lambada', { data: file })).details!['direction'], 'leftToRight');
      await failsWith('GLM_TOKENIZER', /vocabulary of .*left to right/, () =>
        evaluate(gpt, 'lambada', { data: file, unidirectional: false }),
      );
    }),
  ),
);

evaluations('a task of fine-tuning is scored by its official metrics', () => {
  const records = passages.map((text, idx) => ({
    premise: text,
    hypothesis: sentence,
    label: 'entailment',
    idx,
  }));
  return withFile('val.jsonl', jsonLines(records), async (file) => {
    const { metrics, examples } = await evaluate(model, 'rte', {
      data: file,
      taskOptions: { multiToken: true },
    });
    assert.is(examples, records.length);
    assert.ok(metrics['accuracy']! >= 0 && metrics['accuracy']! <= 100);
  });
});

evaluations(
  'test data without labels is answered, and not scored; labels are in every record or in none',
  () => {
    const records = passages.map((premise, idx) => ({ premise, hypothesis: sentence, idx }));
    return withFile('test.jsonl', jsonLines(records), async (file) => {
      const predictions = path.join(path.dirname(file), 'predictions.jsonl');
      const options = { data: file, taskOptions: { multiToken: true } };
      const { metrics, examples } = await evaluate(model, 'rte', { ...options, predictions });
      assert.equal([metrics, examples], [{}, records.length]);
      assert.match(await readFile(predictions, 'utf8'), /^{"idx":0,"label":"(not_)?entailment"}\n/);
      const lines = records.map((record, i) => (i === 3 ? record : { ...record, label: 'entailment' }));
      await writeFile(file, jsonLines(lines));
      await failsWith('GLM_DATA', /:4: expected a label, as the records before it, found none/, () => evaluate(model, 'rte', options)); // prettier-ignore
      await writeFile(file, jsonLines(lines.slice(3)));
      await failsWith('GLM_DATA', /:2: expected no label, as the records before it, found 0/, () => evaluate(model, 'rte', options)); // prettier-ignore
      const target = { span2_index: 1, span1_index: 0, span1_text: 'the', span2_text: 'cat' };
      await writeFile(file, jsonLines([{ text: 'the cat', target, idx: 0 }]));
      assert.equal((await evaluate(model, 'wsc', { data: file })).metrics, {});
    });
  },
);

const badData: [task: string, lines: string[], message: RegExp][] = [
  [
    'ppl',
    ['{"text": "the cat sat"}', '{"txt": "the dog"}'],
    /data\.jsonl:2: expected a text in the field text/,
  ],
  ['ppl', ['{"text": "the cat sat"}', 'no JSON'], /data\.jsonl:2: expected a JSON object/],
  ['ppl', ['{"text": "the cat sat"}', '{"text": " "}'], /:2: expected a text in the field text, found an empty text/], // prettier-ignore
  ['lambada', ['{"text": "the cat sat"}', '{"passage": "the cat"}'], /:2: expected a text in the field text, found none/], // prettier-ignore
  ['lambada', ['{"text": "the cat sat"}', `{"text": "the ${'xq'.repeat(400)}"}`], /:2: expected a last word of at most 380 tokens/], // prettier-ignore
  ['lambada', ['{"text": "the cat sat"}', '{"text": "cat"}'], /:2: expected a passage of at least two words/],
  ['multichoice', [JSON.stringify(questions[0]), '{"inputs_pretokenized": "the", "choices_pretokenized": []}'], /:2: expected a list of texts/], // prettier-ignore
  ['multichoice', [JSON.stringify(questions[0]), JSON.stringify({ ...questions[0], label: 3 })], /:2: expected one of 0, 1, 2 in the field label, found 3/], // prettier-ignore
  ['multichoice', [JSON.stringify(questions[0]), JSON.stringify({ ...questions[0], label: undefined })], /:2: expected the place of the right choice/], // prettier-ignore
];
for (const [task, lines, message] of badData) {
  evaluations(`${task}: ${String(message)}`, () =>
    withFile('data.jsonl', lines.join('\n'), async (file) => {
      await failsWith('GLM_DATA', message, () => evaluate(model, task, { data: file }));
      const { bad, examples } = await evaluate(model, task, { data: file, skipBad: true });
      assert.equal([bad, examples], [1, 1]);
      await writeFile(file, lines[1]!);
      const nothing = new RegExp(
        `found none but 1 that are left out, the last because: .*${message.source.replace('2', '1')}`,
      );
      await failsWith('GLM_DATA', nothing, () => evaluate(model, task, { data: file, skipBad: true }));
    }),
  );
}

evaluations('what is asked for wrongly', () =>
  withFile('texts.txt', passages.join('\n'), async (file) => {
    const wrong: [string, EvaluationOptions, RegExp][] = [
      ['nothing', { data: file }, /expected one of the tasks wikitext, ppl, .*found "nothing"/],
      ['ppl', { data: [] }, /expected data/],
      ['ppl', { data: file, batchSize: 0 }, /batchSize from 1/],
      ['ppl', { data: file, sequenceLength: 2 }, /sequenceLength from 3/],
      ['ppl', { data: file, sequenceLength: 16, overlap: 16 }, /overlap from 1 to 15/],
      [
        'ppl',
        { data: file, sequenceLength: 385 },
        /sequenceLength of at most 384, the model's positions, found 385/,
      ],
      [
        'lambada',
        { data: file, overlap: 3 },
        /options of lambada among unidirectional, sequenceLength .*, found overlap/,
      ],
      ['ppl', { data: file, predictions: 'out' }, /options of ppl .*, found predictions/],
      [
        'rte',
        { data: file, unidirectional: true },
        /options of rte among taskOptions, predictions .*, found unidirectional/,
      ],
      [
        'rte',
        { data: file, taskOptions: { maxLength: 385 } },
        /maxLength and maxTargetLength to be at most 384, .*, found 385/,
      ],
    ];
    for (const [task, options, message] of wrong)
      await failsWith('GLM_INVALID_ARGUMENT', message, () => evaluate(model, task, options));
    await failsWith('GLM_IO', /nowhere/, () => evaluate(model, 'wikitext', { data: '/nowhere/wiki.tokens' }));
    using bare = await GLM.create({ ...model.config }, { device: 'cpu', threads: 1 });
    await failsWith('GLM_TOKENIZER', /with a tokenizer/, () => evaluate(bare, 'ppl', { data: file }));
    await writeFile(file, '\n');
    await failsWith('GLM_DATA', /texts of two tokens/, () => evaluate(model, 'ppl', { data: file }));
  }),
);

evaluations('progress is told, and an evaluation can be stopped', () =>
  withFile('texts.txt', passages.join('\n'), async (file) => {
    const told: number[] = [];
    await evaluate(model, 'ppl', {
      data: file,
      batchSize: 2,
      onProgress: ({ done, total }) => {
        assert.is(total, passages.length);
        told.push(done);
      },
    });
    assert.equal(told, [2, 4, 6, 8, 10, 11]);
    const controller = new AbortController();
    const reason = new Error('enough');
    let seen = 0;
    const stopped = evaluate(model, 'ppl', {
      data: file,
      batchSize: 1,
      signal: controller.signal,
      onProgress: () => {
        if (++seen === 3) controller.abort(reason);
      },
    });
    assert.is(await stopped.catch((error: unknown) => error), reason);
    assert.ok(seen < 6, `${seen} batches`);
    assert.ok((await evaluate(model, 'ppl', { data: file })).metrics['perplexity']! > 1);
  }),
);

evaluations('glm eval', () =>
  withFolder(async (folder) => {
    await model.save(folder);
    const file = path.join(folder, 'passages.jsonl');
    await writeFile(file, jsonLines([...passages.map((text) => ({ text })), { text: 'one' }]));
    const args = ['eval', 'lambada', '--model', folder, '--data', file, '--threads', '1'];
    const failed = await glm(...args);
    assert.is(failed.status, 1);
    assert.match(failed.stderr, /GLM_DATA.*passages\.jsonl:12/);
    const [{ status, stdout }, shown, wrong] = await Promise.all([
      glm(...args, '--skip-bad', '--unidirectional', '--json'),
      glm(...args, '--skip-bad'),
      glm('eval', 'nothing', '--model', folder, '--data', file),
    ]);
    assert.is(status, 0);
    assert.match(shown.stdout, /^lambada: 11 texts, 1 left out, \d+ s\n {2}accuracy \d/);
    assert.is(wrong.status, 2);
    const found = JSON.parse(stdout) as {
      task: string;
      examples: number;
      bad: number;
      metrics: object;
      details: object;
    };
    assert.equal([found.task, found.examples, found.bad], ['lambada', passages.length, 1]);
    const expected = await evaluate(model, 'lambada', { data: file, skipBad: true, unidirectional: true });
    assert.equal(found.metrics, expected.metrics);
  }),
);

evaluations.after(() => model.dispose());
evaluations.run();
