/** BlankInfilling.layout equals the original's make_block_data (golden/blocks) and its suffixes (golden/suffixes). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { Batch } from '../../ts/data/batch.js';
import { objectiveNames } from '../../ts/data/batch.js';
import { BlankInfilling } from '../../ts/data/blank-infilling.js';
import { GlmError } from '../../ts/errors.js';
import { goldenJson } from '../support/golden.js';

interface GoldenExample {
  tokens: number[];
  targets: number[];
  loss_mask: number[];
  position_ids: number[];
  block_position_ids: number[];
  sep: number;
}
interface Blocks {
  special: Record<'MASK' | 'gMASK' | 'sMASK' | 'sop' | 'eop' | 'ENC', number>;
  cases: {
    task: 'bert' | 'gap_sentence' | 'generation';
    tokens: number[];
    spans: [number, number][];
    order: number[];
    out: GoldenExample;
  }[];
}
interface Suffixes {
  special: Record<'gMASK' | 'sop' | 'cls', number>;
  cases: { tokens: number[]; start: number; out: GoldenExample }[];
}

function assertEqual(batch: Batch, expected: GoldenExample, objective: string): void {
  assert.equal([...batch.ids], expected.tokens);
  assert.equal([...batch.positions], expected.position_ids);
  assert.equal([...batch.blockPositions], expected.block_position_ids);
  assert.equal([...batch.contextLengths], [expected.sep]);
  assert.equal([...batch.offsets], [0, expected.tokens.length]);
  assert.equal([...(batch.lossMask ?? [])], expected.loss_mask);
  assert.equal(objectiveNames[batch.objectives?.[0] ?? -1], objective);
  for (const [i, loss] of expected.loss_mask.entries()) {
    if (loss === 1) assert.is(batch.targets?.[i], expected.targets[i], `target ${i}`);
  }
}

const layout = suite('layout of an example');

layout('golden/blocks: every case of the three objectives', () => {
  const { special, cases } = goldenJson<Blocks>('blocks.json');
  const { MASK: mask, gMASK: gmask, sMASK: smask, sop, eop } = special;
  const kinds = {
    bert: ['mask', 'blank'],
    gap_sentence: ['smask', 'sentence'],
    generation: ['gmask', 'document'],
  } as const;
  assert.ok(cases.length >= 30);
  for (const { task, tokens, spans, order, out } of cases) {
    const [kind, objective] = kinds[task];
    const options = { spans, order, mask: kind, special: { mask, gmask, smask, sop, eop } };
    assertEqual(BlankInfilling.layout(tokens, options), out, objective);
    assertEqual(BlankInfilling.layout(Int32Array.from(tokens), options), out, objective);
  }
});

layout('golden/suffixes: every case', () => {
  const { special, cases } = goldenJson<Suffixes>('suffixes.json');
  const { gMASK: gmask, sop, cls } = special;
  assert.ok(cases.length >= 20);
  for (const { tokens, start, out } of cases) {
    const batch = BlankInfilling.layout(tokens, { suffix: start, special: { gmask, sop, cls } });
    assertEqual(batch, out, 'document');
  }
});

layout('a [CLS] inside a suffix begins another document and is not predicted', () => {
  const tokens = [1, 20, 21, 2, 1, 22, 2];
  const { ids, lossMask } = BlankInfilling.layout(tokens, {
    suffix: 2,
    special: { cls: 1, gmask: 8, sop: 4 },
  });
  assert.equal([...ids], [1, 20, 8, 4, 21, 2, 1, 22]);
  assert.equal([...(lossMask ?? [])], [0, 0, 0, 1, 1, 0, 1, 1]);
});

layout('without an order, Part B has the order of the text; a span may be the whole text', () => {
  const special = { mask: 3, sop: 4, eop: 5 };
  const spans = [
    [0, 1],
    [1, 3],
  ] as const;
  const batch = BlankInfilling.layout([10, 11, 12], { spans, special });
  assert.equal([...batch.ids], [3, 3, 4, 10, 4, 11, 12]);
  assert.equal([...batch.positions], [0, 1, 0, 0, 1, 1, 1]);
  assert.equal([...batch.blockPositions], [0, 0, 1, 2, 1, 2, 3]);
  assert.equal([...(batch.targets ?? [])].slice(2), [10, 5, 11, 12, 5]);
});

layout('no spans: the text alone, without a loss', () => {
  const batch = BlankInfilling.layout([1, 10, 11], { spans: [], special: { mask: 3, sop: 4, eop: 5 } });
  assert.equal([...batch.ids], [1, 10, 11]);
  assert.equal([...(batch.lossMask ?? [])], [0, 0, 0]);
  assert.equal([...batch.contextLengths], [3]);
});

layout('bad input is a GlmError', () => {
  const special = { mask: 3, sop: 4, eop: 5 };
  const text = [1, 10, 11, 12, 13];
  const refused: [RegExp, () => unknown][] = [
    [/not overlapping/, () => BlankInfilling.layout(text, { spans: [[1, 3], [2, 4]], special })], // prettier-ignore
    [/in the order of the text/, () => BlankInfilling.layout(text, { spans: [[3, 4], [1, 2]], special })], // prettier-ignore
    [/not empty/, () => BlankInfilling.layout(text, { spans: [[2, 2]], special })],
    [/inside its 5 tokens/, () => BlankInfilling.layout(text, { spans: [[2, 6]], special })],
    [/integers/, () => BlankInfilling.layout(text, { spans: [[-1, 2]], special })],
    [/order to name each/, () => BlankInfilling.layout(text, { spans: [[1, 2], [3, 4]], order: [0, 0], special })], // prettier-ignore
    [/as many/, () => BlankInfilling.layout(text, { spans: [[1, 2]], order: [], special })],
    [/id of gmask/, () => BlankInfilling.layout(text, { spans: [[1, 2]], mask: 'gmask', special })],
    [/id of sop/, () => BlankInfilling.layout(text, { spans: [[1, 2]], special: {} as typeof special })],
    [
      /'mask', 'smask' or 'gmask'/,
      () => BlankInfilling.layout(text, { spans: [], mask: 'MASK' as 'mask', special }),
    ],
    [
      /\[start, end\]/,
      () => BlankInfilling.layout(text, { spans: [1, 2] as unknown as [number, number][], special }),
    ],
    [/1 to 1048576 tokens/, () => BlankInfilling.layout([], { spans: [], special })],
    [/integers from 0/, () => BlankInfilling.layout([1.5], { spans: [], special })],
    [/negative/, () => BlankInfilling.layout(Int32Array.of(1, -4), { spans: [], special })],
    [/not empty/, () => BlankInfilling.layout(text, { suffix: 5, special })],
  ];
  for (const [message, call] of refused) {
    assert.throws(
      call,
      (error: unknown) =>
        error instanceof GlmError && error.code === 'GLM_INVALID_ARGUMENT' && message.test(error.message),
      message.source,
    );
  }
});

layout.run();
