/** Text infilling: what is taken away, what is fed, BLEU, and that fine-tuning learns. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { evaluate } from '../../../ts/tasks/evaluation/evaluate.js';
import { fineTune } from '../../../ts/tasks/fine-tune/fine-tune.js';
import { joinWordPieces } from '../../../ts/tasks/infilling/join-words.js';
import { maskWords } from '../../../ts/tasks/infilling/mask-words.js';
import { findTask } from '../../../ts/tasks/tasks.js';
import { glm } from '../../cli/command.js';
import { failsWith } from '../../support/fails-with.js';
import { withFolder } from '../../support/folder.js';
import { exampleOfBlanks } from '../../../ts/tasks/input.js';
import { noDraw, recordsOf, workedExamples } from '../support.js';
import { tinyModel, tinyTokenizer } from '../tiny.js';

const infilling = suite('tasks: infilling');
const text = 'a b c d e f g h i j k l m n o p q r s t';
const tokenizer = await tinyTokenizer([text]);
const mask = '[MASK]';

infilling('a share of the words is taken away; neighbours share a blank; every epoch takes others', () => {
  for (const share of [0.1, 0.25, 0.5]) {
    const places = new Set<string>();
    for (let place = 0; place < 50; place++) {
      const { masked, targets } = maskWords(text, share, { seed: 3, epoch: 1 }, place);
      places.add(masked);
      assert.is(targets.join(' ').split(' ').length, 20 * share);
      assert.is(masked.split(' ').filter((word) => word === mask).length, targets.length);
      assert.not.match(masked, /\[MASK\] \[MASK\]/);
      let next = 0;
      assert.is(masked.replaceAll(mask, () => targets[next++]!), text); // prettier-ignore
      assert.equal(maskWords(text, share, { seed: 3, epoch: 1 }, place), { masked, targets });
      assert.not.equal(maskWords(text, share, { seed: 3, epoch: 2 }, place), { masked, targets });
    }
    assert.ok(places.size > 35); // of 190 and more
  }
  assert.equal(maskWords('alone', 0.1, noDraw, 0), { masked: mask, targets: ['alone'] });
});

infilling('every word is taken away as often as any other', () => {
  const counts = new Array<number>(20).fill(0);
  const draws = 4000;
  for (let place = 0; place < draws; place++) {
    const { targets } = maskWords(text, 0.25, noDraw, place);
    for (const word of targets.join(' ').split(' ')) counts[word.charCodeAt(0) - 97]!++;
  }
  // Each count is binomial(4000, 1/4): six standard deviations are 164.
  for (const count of counts) assert.ok(Math.abs(count - draws / 4) < 164, counts.join(' '));
});

infilling('the worked example of docs/tasks.md', async () => {
  const tokenizer = await tinyTokenizer([` ${text}`]);
  const { special } = tokenizer;
  const context = await tokenizer.encode(' a [MASK] c d [MASK]');
  const targets = await Promise.all(
    [' b', ' e f'].map(async (text) => Int32Array.of(...(await tokenizer.encode(text)), special.eop)),
  );
  const places = [...context.keys()].filter((i) => context[i] === special.mask);
  const blanks = targets.map((target, i) => ({ place: places[i]!, target }));
  const batch = exampleOfBlanks(context, blanks, special);
  const partB = await Promise.all(
    targets.map(async (target) => `  <|startofpiece|>${await tokenizer.decode(target.slice(0, -1))}`),
  );
  const written = await Promise.all(targets.map((target) => tokenizer.decode(target)));
  const [example, positions, blockPositions] = workedExamples(' a[MASK]');
  assert.is(`${await tokenizer.decode(context)}${partB.join('')}      targets:${written.join(' ')}`, example);
  const numbers = (line: string | undefined) => line!.match(/\d+/g)!.map(Number);
  assert.equal([...batch.positions], numbers(positions));
  assert.equal([...batch.blockPositions], numbers(blockPositions));
});

infilling('an example: the text without [CLS], and each blank written after the other', () =>
  withFolder(async (folder) => {
    const file = path.join(folder, 'train.txt');
    await writeFile(file, `${text}\n`);
    const [record] = await recordsOf('infilling', file);
    const task = await findTask('infilling').prepare({ tokenizer, maskRatio: 0.25 });
    const [batch] = await task.examples([record!], noDraw);
    const { masked, targets } = maskWords(text, 0.25, noDraw, 0);
    const { special } = tokenizer;
    const context = await tokenizer.encode(` ${masked}`);
    const length = context.length;
    assert.equal([...batch!.ids.slice(0, length)], [...context]);
    assert.equal([...batch!.contextLengths], [length]);
    const expected = { ids: [] as number[], targets: [] as number[], positions: [] as number[], block: [] as number[] }; // prettier-ignore
    const places = [...context.keys()].filter((i) => context[i] === special.mask);
    for (const [i, target] of targets.entries()) {
      const ids = [...(await tokenizer.encode(` ${target}`))];
      expected.ids.push(special.sop, ...ids);
      expected.targets.push(...ids, special.eop);
      for (let j = 0; j <= ids.length; j++) {
        expected.positions.push(places[i]!);
        expected.block.push(j + 1);
      }
    }
    assert.ok(targets.length > 1);
    assert.equal([...batch!.ids.slice(length)], expected.ids);
    assert.equal([...batch!.targets!.slice(length)], expected.targets);
    assert.equal([...batch!.positions.slice(length)], expected.positions);
    assert.equal([...batch!.blockPositions.slice(length)], expected.block);
    assert.equal([...batch!.lossMask!], [...context.map(() => 0), ...expected.ids.map(() => 1)]);
    const cut = await findTask('infilling').prepare({ tokenizer, maskRatio: 0.5, maxLength: 6 });
    const [short] = await cut.examples([record!], noDraw);
    assert.is(short!.contextLengths[0], 6);
    assert.is(
      short!.ids.filter((id) => id === special.sop).length,
      short!.ids.slice(0, 6).filter((id) => id === special.mask).length,
    );
  }),
);

infilling('fine-tuned, filled, scored; blanks that the data set gives', () =>
  withFolder(async (folder) => {
    const file = path.join(folder, 'valid.txt');
    const sentences = ['a b c d e f g h', 'i j k l m n o p'];
    await writeFile(file, sentences.join('\n'));
    using model = await tinyModel(tokenizer);
    const taskOptions = { maskRatio: 0.25 };
    const before = await evaluate(model, 'infilling', { data: file, taskOptions });
    assert.ok(before.metrics['bleu']! < 40, `before: ${before.metrics['bleu']}`);
    const { best } = await fineTune(findTask('infilling'), {
      ...{ model, train: file, dev: file, epochs: 400, learningRate: 3e-3 },
      ...{ labelSmoothing: 0, dropout: 0, evaluateEvery: 400, taskOptions },
    });
    assert.ok(best.metrics['bleu']! > 60, `after: ${best.metrics['bleu']}`);
    await mkdir(path.join(folder, 'blank'));
    const blanks = path.join(folder, 'blank/valid.maskratio0.3.blank');
    await writeFile(blanks, 'a b <blank> d e f g <blank>\ni <blank> k l m n o p');
    const predictions = path.join(folder, 'out.txt');
    const { metrics, examples } = await evaluate(model, 'infilling', { data: blanks, predictions });
    assert.is(examples, 2);
    assert.ok(metrics['bleu']! > 60, `with given blanks: ${metrics['bleu']}`);
    const filled = (await readFile(predictions, 'utf8')).trimEnd().split('\n');
    assert.match(filled.join('|'), /^a b .*d e f g.*\|i .*k l m n o p$/);

    await model.save(path.join(folder, 'model'));
    const args = ['eval', 'infilling', '--model', path.join(folder, 'model'), '--data', file];
    const command = await glm(...args, '--mask-ratio', '0.25', '--json');
    assert.is(command.status, 0, command.stderr);
    assert.equal((JSON.parse(command.stdout) as { metrics: object }).metrics, best.metrics);
    await failsWith('GLM_INVALID_ARGUMENT', /a maskRatio between 0 and 1, found 1/, () =>
      evaluate(model, 'infilling', { data: file, taskOptions: { maskRatio: 1 } }),
    );
    await writeFile(file, 'a [MASK] b\n\n');
    const train = () => fineTune(findTask('infilling'), { model, train: file });
    await failsWith('GLM_DATA', /valid\.txt:2: expected a text, found an empty text/, train);
    await writeFile(file, 'a [MASK] b\n');
    await failsWith('GLM_DATA', /valid\.txt:1: expected a text without blanks of its own/, train);
    await writeFile(blanks, 'a b');
    await failsWith('GLM_DATA', /blank:1: expected a text with a <blank>, found a b/, () =>
      evaluate(model, 'infilling', { data: blanks }),
    );
  }),
);

infilling('word pieces are joined as the data sets have them', () => {
  assert.is(
    joinWordPieces("he don ' t , it ' s in the u . s . now . . ."),
    "he don't , it 's in the u.s. now ...",
  );
});

infilling.run();
