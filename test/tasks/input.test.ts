/** Inputs of tasks, against the original's. */

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { context, example } from '../../ts/tasks/input.js';

interface Golden {
  special: { mask: number; cls: number; sep: number; eos: number; sop: number; eop: number };
  cases: {
    text_a: number[];
    text_b: number[] | null;
    answer: number[] | null;
    max_seq_length: number;
    add_cls: boolean;
    add_sep: boolean;
    add_eos: boolean;
    out: Record<'ids' | 'position_ids' | 'block_position_ids' | 'targets' | 'loss_mask', number[]> & {
      sep: number;
    };
  }[];
}

const inputs = suite('tasks: inputs');
const golden = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../golden/task_inputs.json'), 'utf8'),
) as Golden;

for (const [
  i,
  { text_a, text_b, answer, max_seq_length, add_cls, add_sep, add_eos, out },
] of golden.cases.entries()) {
  inputs(`golden case ${i}`, () => {
    const { special } = golden;
    const options = { special, maxLength: max_seq_length, cls: add_cls, sep: add_sep, eos: add_eos };
    const ids = context(text_a, text_b ?? undefined, options);
    const batch = example(ids, answer ? Int32Array.from(answer) : undefined, special, [special.mask]);
    assert.equal([...batch.ids], out.ids);
    assert.equal([...batch.positions], out.position_ids);
    assert.equal([...batch.blockPositions], out.block_position_ids);
    assert.equal([...batch.contextLengths], [out.sep]);
    assert.equal([...batch.lossMask!], out.loss_mask);
    const withLoss = (_: number, at: number) => out.loss_mask[at] === 1;
    if (answer) assert.equal([...batch.targets!].filter(withLoss), out.targets.filter(withLoss));
  });
}

inputs('a text that is too long is cut at its end, and keeps its end-of-text', () => {
  const { special } = golden;
  assert.equal([...context([5, 6, 7, 8], [9], { special, maxLength: 4 })], [special.cls, 5, 6, special.eos]);
});

inputs('a blank that was cut off is said', () => {
  const { special } = golden;
  assert.throws(
    () => example(Int32Array.of(1, 2), undefined, special, [special.mask]),
    (error: { code?: string; message: string }) =>
      error.code === 'GLM_NO_MASK' && /larger maxLength/.test(error.message),
  );
});

inputs.run();
