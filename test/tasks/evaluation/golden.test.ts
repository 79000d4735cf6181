/** What models are fed in evaluations, against the original's. */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { Batch } from '../../../ts/data/batch.js';
import { lastWordExample } from '../../../ts/tasks/evaluation/lambada.js';
import { detokenizeWikitext } from '../../../ts/tasks/evaluation/wikitext-detokenizer.js';
import { windowCount, windows } from '../../../ts/tasks/evaluation/windows.js';
import { Tokenizer } from '../../../ts/text/tokenizer.js';
import { withFolder } from '../../support/folder.js';
import { goldenJson } from '../../support/golden.js';
import { addedTokens, copyVocabulary, vocabularyFiles, writeJson } from '../../text/published.js';
import { testWith } from '../../text/shared-files.js';

interface Item {
  ids: number[];
  targets: number[];
  sep: number;
  loss_mask: number[];
  position_ids: number[];
  block_position_ids: number[];
}

const golden = suite('evaluation: inputs');

function equals(found: Batch, expected: Item): void {
  assert.equal([...found.ids], expected.ids);
  assert.equal([...found.positions], expected.position_ids);
  assert.equal([...found.blockPositions], expected.block_position_ids);
  assert.equal([...found.contextLengths], [expected.sep]);
  assert.equal([...found.lossMask!], expected.loss_mask);
  const withLoss = (_: number, at: number) => expected.loss_mask[at] === 1;
  assert.equal([...found.targets!].filter(withLoss), expected.targets.filter(withLoss));
}

for (const { text, out } of goldenJson<{ text: string; out: string }[]>('wikitext_detokenizer.json'))
  golden(`detokenized: ${out.slice(0, 30)}`, () => assert.is(detokenizeWikitext(text), out));

golden('detokenized: braces, headings, and what stands behind a quotation mark', () => {
  assert.is(detokenizeWikitext('{ a } = = = = b = = = ='), '{a} ==== b ====');
  assert.is(detokenizeWikitext('" a " is the boys \' own , N times'), '"a" is the boys\' own, 1 times');
});

const special = {
  pad: 0,
  eos: 0,
  cls: 101,
  sep: 102,
  unk: 100,
  mask: 103,
  sop: 30522,
  eop: 30523,
  gmask: 30524,
};
const { cases } = goldenJson<{
  cases: {
    document: number[];
    seq_length: number;
    overlapping_eval: number | null;
    unidirectional: boolean;
    windows: Item[];
  }[];
}>('lm_windows.json');
for (const { document, seq_length, overlapping_eval, unidirectional, windows: expected } of cases) {
  const direction = unidirectional ? 'unidirectional' : 'bidirectional';
  golden(`windows: ${document.length} tokens, ${seq_length}, ${overlapping_eval}, ${direction}`, () => {
    const cut = {
      special,
      direction,
      sequenceLength: seq_length,
      overlap: overlapping_eval ?? undefined,
    } as const;
    const found = [...windows(Int32Array.from(document), cut)];
    assert.is(found.length, expected.length);
    assert.is(windowCount(document.length, cut), expected.length);
    for (const [i, window] of found.entries()) equals(window, expected[i]!);
  });
}

golden('windows from left to right score every token but the first, once', () => {
  const document = Int32Array.from({ length: 131 }, (_, i) => 1000 + i);
  const cut = { special, direction: 'leftToRight', sequenceLength: 64, overlap: 32 } as const;
  const found = [...windows(document, cut)];
  const scored = found.flatMap(({ targets, lossMask }) => [...targets!].filter((_, i) => lossMask![i] === 1));
  assert.equal(scored, [...document.subarray(1)]);
  for (const { ids, positions, targets, contextLengths } of found) {
    assert.equal([...contextLengths], [0]);
    assert.equal([...positions], [...ids.keys()]);
    assert.equal([...ids.subarray(1)], [...targets!.subarray(0, -1)]);
  }
  assert.is(found[1]!.ids.length, 62);
});

golden('a document of one token has nothing to score', () => {
  const cut = { special, direction: 'bidirectional', sequenceLength: 64 } as const;
  assert.equal([...windows(Int32Array.of(7), cut)], []);
  assert.equal([...windows(new Int32Array(0), cut)], []);
});

const items =
  goldenJson<(Item & { text: string; tokenizer: 'gpt2' | 'bert-base-uncased'; unidirectional: boolean })[]>(
    'lambada_items.json',
  );
for (const [i, { text, tokenizer: layout, unidirectional, ...expected }] of items.entries()) {
  testWith(golden, vocabularyFiles(layout), `LAMBADA: passage ${i}`, () =>
    withFolder(async (folder) => {
      await mkdir(path.join(folder, layout));
      await copyVocabulary(layout, path.join(folder, layout));
      await writeJson(path.join(folder, layout), 'added_tokens.json', addedTokens[layout]);
      const tokenizer = await Tokenizer.load(path.join(folder, layout));
      const direction = unidirectional ? 'unidirectional' : 'bidirectional';
      equals(await lastWordExample(text, { tokenizer, direction, sequenceLength: 512, where: '' }), expected);
      // What does not fit is left out at the beginning.
      const cut = await lastWordExample(text, { tokenizer, direction, sequenceLength: 20, where: '' });
      assert.ok(cut.ids.length <= 20);
      const answer = ({ targets, lossMask }: Batch) => targets!.filter((_, at) => lossMask![at] === 1);
      assert.equal(
        answer(cut),
        Int32Array.from(expected.targets.filter((_, at) => expected.loss_mask[at] === 1)),
      );
      if (direction === 'bidirectional')
        assert.equal(
          [...cut.ids.subarray(1, 8)],
          expected.ids.slice(expected.sep - 2 - 16, expected.sep - 2 - 9),
        );
    }),
  );
}

golden.run();
