/** Prints the SHA-256 of a batch made by every rule there is. Run by a test with GLM_INSTRUCTION_SET set. */

import { createHash } from 'node:crypto';

import { BlankInfilling } from '../../ts/data/blank-infilling.js';
import { sentenceEnds, special, words } from './span-example.js';

const word = words(99);
const rows = Array.from({ length: 300 }, (_, r) => {
  const row = word(1 + ((r * 37) % 255));
  if (r % 3 === 0) for (let i = 20; i < row.length; i += 45) row[i] = special.eos;
  return row;
});
const mix = { blank: 0.5, sentence: 0.25, document: 0.25 };
const common = { special, sentenceEnds, maxLength: 256 };
const objectives = [
  new BlankInfilling({ ...common, mix, shortSequenceProbability: 0.2, singleSpanProbability: 0.1 }),
  new BlankInfilling({ ...common, spanMaskProbability: 0.1, contextMaskRatio: 0.05, randomPosition: true }),
  new BlankInfilling({ ...common, maskedLanguageModel: true, maskRatio: 0.3, averageSpanLength: 1 }),
];
const digest = createHash('sha256');
for (const objective of objectives) {
  const batch = await objective.batch(rows, { seed: 2 ** 40 + 3, index: 1000 });
  for (const name of ['ids', 'positions', 'blockPositions', 'offsets', 'contextLengths', 'samples'] as const)
    digest.update(batch[name] as Int32Array);
  digest.update(batch.targets as Int32Array);
  digest.update(batch.lossMask as Uint8Array);
  digest.update(batch.objectives as Uint8Array);
}
console.log(digest.digest('hex'));
