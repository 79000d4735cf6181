/** BLEU against sacreBLEU and the COCO caption scorer. */

import { readFileSync } from 'node:fs';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { bleu, type BleuOptions, sentenceBleu } from '../../ts/metrics/bleu.js';
import { goldenJson } from '../support/golden.js';
import { sharedFile, testWith } from '../text/shared-files.js';

interface SacreBleu {
  score: number;
  precisions: number[];
  bp: number;
  sys_len: number;
  ref_len: number;
  counts: number[];
  totals: number[];
}

interface Fixture {
  candidates: string[];
  references: string[][];
  bleu_coco: { bleu: number[] };
  sacrebleu_13a: SacreBleu;
  sacrebleu_none: SacreBleu;
  sacrebleu_13a_lower: SacreBleu;
  sacrebleu_13a_sentence: number[];
}

const bleus = suite('metrics: BLEU');
const close = (found: number, expected: number, what: string) =>
  assert.ok(Math.abs(found - expected) < 1e-6, `${what}: expected ${expected}, found ${found}`);

function check(fixture: Fixture): void {
  const { candidates, references } = fixture;
  const corpus = (expected: SacreBleu, options: BleuOptions) => {
    const found = bleu(candidates, references, options);
    assert.equal(found.matches, expected.counts);
    assert.equal(found.totals, expected.totals);
    assert.is(found.candidateLength, expected.sys_len);
    assert.is(found.referenceLength, expected.ref_len);
    close(found.brevityPenalty, expected.bp, 'brevity penalty');
    close(found.score, expected.score, 'score');
    found.precisions.forEach((precision, i) =>
      close(precision, expected.precisions[i]!, `precision ${i + 1}`),
    );
  };
  corpus(fixture.sacrebleu_13a, {});
  corpus(fixture.sacrebleu_none, { tokenize: 'none' });
  corpus(fixture.sacrebleu_13a_lower, { lowercase: true });
  for (const [i, expected] of fixture.sacrebleu_13a_sentence.entries())
    close(sentenceBleu(candidates[i]!, references[i]!).score, expected, `sentence ${i}`);
  // The scores of question generation, BLEU-1 to BLEU-4.
  for (const [i, expected] of fixture.bleu_coco.bleu.entries()) {
    const { score } = bleu(candidates, references, { tokenize: 'none', smoothing: 'none', order: i + 1 });
    close(score, 100 * expected, `BLEU-${i + 1}`);
  }
}

bleus('two texts with two references', () => check(goldenJson<Fixture>('nlgeval_example.json')));

const xsum = 'data/bleu/xsum_cased_240.json';
testWith(bleus, [xsum], '240 summaries', async () =>
  check(JSON.parse(readFileSync(sharedFile(xsum), 'utf8')) as Fixture),
);

bleus('a shorter text is penalized; a text with nothing in common has nothing', () => {
  const { brevityPenalty, score } = bleu(['a b c d'], [['a b c d e f g h']]);
  close(brevityPenalty, Math.exp(-1), 'brevity penalty');
  close(score, 100 * Math.exp(-1), 'score');
  assert.is(bleu(['x y z u'], [['a b c d']]).score, 0);
  assert.is(bleu([], []).score, 0);
  assert.is(bleu([''], [['a b']]).score, 0);
  assert.is(sentenceBleu('', ['a b']).score, 0);
});

bleus('of two references at the same distance the shorter one is the length', () => {
  assert.is(bleu(['a b c'], [['a b c d', 'a b']]).referenceLength, 2);
});

bleus('without smoothing a length that never matches makes 0', () => {
  assert.is(bleu(['a b x c d'], [['a b y c d']], { smoothing: 'none' }).score, 0);
  assert.ok(bleu(['a b x c d'], [['a b y c d']]).score > 0);
});

bleus('a short sentence is scored by the n-grams it has', () => {
  close(sentenceBleu('a b', ['a b']).score, 100, 'score');
});

bleus.run();
