/** `fill` against what the original fills (golden/generate_small), and its results. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { cases, close, greedyOptions, smallModel, special } from './golden.js';

const fill = suite('generate: fill');

cases.greedy.forEach((golden, number) => {
  fill(`greedy case ${number} of the original`, async () => {
    using model = await smallModel();
    const { blanks } = await model.fill(Int32Array.from(golden.context), greedyOptions(golden));
    assert.is(blanks.length, golden.blanks.length);
    golden.blanks.forEach((expected, i) => {
      const found = blanks[i]!;
      assert.is(found.index, expected.mask_position);
      assert.is(found.mask, 'mask');
      assert.equal([...found.ids], expected.ids);
      assert.is(found.finished, expected.finished);
      assert.ok(close(found.logprob, expected.logprob), `${found.logprob}, expected ${expected.logprob}`);
    });
  });
});

fill('ids have each mask replaced', async () => {
  using model = await smallModel();
  const { context, blanks } = cases.greedy[2]!;
  const result = await model.fill(Int32Array.from(context), { maxTokens: 8, special });
  const expected = context.flatMap((id, i) => blanks.find((blank) => blank.mask_position === i)?.ids ?? [id]);
  assert.equal([...result.ids], expected);
  assert.is(result.text, '', 'there is no tokenizer');
});

fill('an array of ragged inputs gives what each gives alone', async () => {
  using model = await smallModel();
  const wanted = cases.greedy.filter((golden) => golden.max_tokens === 8);
  const results = await model.fill(
    wanted.map(({ context }) => Int32Array.from(context)),
    { maxTokens: 8, special },
  );
  wanted.forEach((golden, i) => {
    golden.blanks.forEach((expected, b) => assert.equal([...results[i]!.blanks[b]!.ids], expected.ids));
  });
});

fill.run();
