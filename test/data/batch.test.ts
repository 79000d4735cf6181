import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { type Batch, concatBatches, sliceBatch } from '../../ts/data/batch.js';
import { BlankInfilling } from '../../ts/data/blank-infilling.js';
import { GlmError } from '../../ts/errors.js';
import { special, words } from '../support/span-example.js';

const batches = suite('slices and joins of batches');
const objective = new BlankInfilling({ special, maxLength: 64 });
const word = words(3);
const rows = Array.from({ length: 9 }, (_, r) => word(5 + r * 6));

batches('slices joined again are the batch', async () => {
  const batch = await objective.batch(rows, { seed: 1, index: 0 });
  const parts = [
    sliceBatch(batch, 0, 1),
    sliceBatch(batch, 1, 1),
    sliceBatch(batch, 1, 6),
    sliceBatch(batch, 6, 9),
  ];
  assert.equal(concatBatches(parts), batch);
  assert.equal(parts[2], await objective.batch(rows.slice(1, 6), { seed: 1, index: 1 }));
});

batches('a join has the fields that all batches have', async () => {
  const batch = await objective.batch(rows, { seed: 1, index: 0 });
  const bare: Batch = { ...batch };
  delete bare.targets;
  const joined = concatBatches([batch, bare]);
  assert.not.ok('targets' in joined);
  assert.is(joined.lossMask?.length, 2 * batch.ids.length);
});

batches('a slice outside the batch is refused', async () => {
  const batch = await objective.batch(rows, { seed: 1, index: 0 });
  for (const [begin, end] of [[0, 10], [-1, 2], [3, 2], [0.5, 1]] as const) // prettier-ignore
    assert.throws(() => sliceBatch(batch, begin, end), (error: unknown) => error instanceof GlmError); // prettier-ignore
});

batches.run();
