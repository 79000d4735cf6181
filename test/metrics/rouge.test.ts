/** ROUGE against ROUGE-1.5.5, record by record, and against the cases of Google's `rouge_score`. */

import { readFileSync } from 'node:fs';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { bootstrapInterval } from '../../ts/metrics/bootstrap.js';
import { stem } from '../../ts/metrics/porter-stemmer.js';
import {
  meanRouge,
  rouge,
  type RougeName,
  type RougeScore,
  type RougeScores,
} from '../../ts/metrics/rouge.js';
import { goldenJson } from '../support/golden.js';
import { sharedFile, testWith } from '../text/shared-files.js';

type Triple = readonly number[];

interface Case {
  name: string;
  target: string;
  prediction: string;
  stemmer: boolean;
  expected: Partial<Record<RougeName, { recall: number; precision: number; fmeasure: number }>>;
  places: number;
}

const rouges = suite('metrics: ROUGE');
const settings = ['nostem', 'stem'] as const;
const triple = ({ recall, precision, f }: RougeScore): Triple => [recall / 100, precision / 100, f / 100];

/** Fails unless recall, precision and F are what is expected, as shares. */
function equals(found: RougeScore, expected: Triple, tolerance: number, where: string): void {
  for (const [i, value] of triple(found).entries()) {
    assert.ok(Math.abs(value - expected[i]!) <= tolerance, `${where}: expected ${expected.join(', ')}, found ${triple(found).join(', ')}`); // prettier-ignore
  }
}

for (const { name, target, prediction, stemmer, expected, places } of goldenJson<Case[]>(
  'google_rouge_cases.json',
)) {
  rouges(`Google's case ${name}`, () => {
    const lines = (text: string) => text.split('\n');
    const found = rouge({ reference: lines(target), candidate: lines(prediction) }, { stem: stemmer });
    for (const [name, { recall, precision, fmeasure }] of Object.entries(expected))
      equals(found[name as RougeName], [recall, precision, fmeasure], 0.5 * 10 ** -places, name);
  });
}

const linesOf = (file: string) => readFileSync(sharedFile(file), 'utf8').trimEnd().split('\n');
const cnnDailyMail = 'data/rouge/cnndm_25systems_half.jsonl';
testWith(
  rouges,
  [cnnDailyMail],
  'every record of 25 systems on CNN/DailyMail is that of ROUGE-1.5.5',
  async () => {
    interface Line {
      reference: string[];
      candidate: string[];
      rouge155: Record<(typeof settings)[number], Record<'rouge1' | 'rouge2' | 'rougeL', Triple>> & {
        stem_one_line: { rougeL: Triple };
      };
    }
    for (const [i, text] of linesOf(cnnDailyMail).entries()) {
      const line = JSON.parse(text) as Line;
      for (const setting of settings) {
        const found = rouge(line, { stem: setting === 'stem' });
        const expected = line.rouge155[setting];
        equals(found.rouge1, expected.rouge1, 1.1e-5, `line ${i + 1} rouge1 ${setting}`);
        equals(found.rouge2, expected.rouge2, 1.1e-5, `line ${i + 1} rouge2 ${setting}`);
        equals(found.rougeLsum, expected.rougeL, 1.1e-5, `line ${i + 1} rougeLsum ${setting}`);
      }
      const { rougeL } = rouge(line, { stem: true });
      equals(rougeL, line.rouge155.stem_one_line.rougeL, 1.1e-5, `line ${i + 1} rougeL`);
    }
  },
);

const gigaword = 'data/rouge/gigaword_first1000.jsonl';
testWith(rouges, [gigaword], 'every record of Gigaword is that of ROUGE-1.5.5', async () => {
  interface Line {
    reference: string;
    candidate: string;
    rouge155: Record<(typeof settings)[number], Record<'rouge1' | 'rouge2' | 'rougeL', Triple>>;
  }
  for (const [i, text] of linesOf(gigaword).entries()) {
    const { reference, candidate, rouge155 } = JSON.parse(text) as Line;
    for (const setting of settings) {
      const found = rouge({ reference: [reference], candidate: [candidate] }, { stem: setting === 'stem' });
      for (const [name, expected] of Object.entries(rouge155[setting]))
        equals(found[name as RougeName], expected, 1.1e-5, `line ${i + 1} ${name} ${setting}`);
    }
  }
});

const xsum = ['reference.txt', 'convs2s.txt', 'convs2s.scores.tsv'].map(
  (end) => `data/rouge/xsum_test.${end}`,
);
testWith(
  rouges,
  xsum,
  'every record of XSum, the means and their intervals are those of ROUGE-1.5.5',
  async () => {
    const [references, candidates, table] = xsum.map(linesOf);
    const [columns, ...rows] = table!.map((line) => line.split('\t'));
    const names = ['rouge1', 'rouge2', 'rougeL'] as const;
    const all: Record<(typeof settings)[number], RougeScores[]> = { nostem: [], stem: [] };
    for (const [i, row] of rows.entries()) {
      const values = row.map(Number);
      for (const setting of settings) {
        const summary = { reference: [references![i]!], candidate: [candidates![i]!] };
        const found = rouge(summary, { stem: setting === 'stem' });
        all[setting].push(found);
        for (const name of names) {
          const expected = ['R', 'P', 'F'].map(
            (kind) => values[columns!.indexOf(`${setting}_${name}_${kind}`)]!,
          );
          equals(found[name], expected, 1.1e-5, `line ${i + 1} ${name} ${setting}`);
        }
      }
    }
    const { xsum_convs2s_11334: averages } = JSON.parse(readFileSync(sharedFile('data/rouge/averages.json'), 'utf8')) as {
    xsum_convs2s_11334: Record<'plain_mean', Record<string, Record<string, Triple>>> &
      Record<(typeof settings)[number], Record<string, { F: Triple }>>;
  }; // prettier-ignore
    for (const setting of settings) {
      const means = meanRouge(all[setting]);
      for (const name of names)
        equals(means[name], averages.plain_mean[setting]![name]!, 1e-6, `${name} ${setting}`);
    }
    // Both intervals are of random resamples: their ends differ by less than a tenth of their width.
    const { mean, low, high } = bootstrapInterval(all.stem.map(({ rouge1 }) => rouge1.f));
    const [, expectedLow, expectedHigh] = averages.stem['rouge1']!.F;
    const width = 100 * (expectedHigh! - expectedLow!);
    assert.ok(Math.abs(mean - 100 * averages.plain_mean['stem']!['rouge1']![2]!) < 1e-4);
    assert.ok(Math.abs(low - 100 * expectedLow!) < width / 10, `low ${low}`);
    assert.ok(Math.abs(high - 100 * expectedHigh!) < width / 10, `high ${high}`);
  },
);

rouges('stems of Porter’s paper, and what ROUGE-1.5.5 does otherwise', () => {
  const stems = {
    caresses: 'caress', ponies: 'poni', agreed: 'agre', plastered: 'plaster', motoring: 'motor', sing: 'sing',
    conflated: 'conflat', troubled: 'troubl', hopping: 'hop', falling: 'fall', filing: 'file', happy: 'happi',
    sky: 'sky', relational: 'relat', conditional: 'condit', vietnamization: 'vietnam', triplicate: 'triplic',
    electrical: 'electr', goodness: 'good', revival: 'reviv', adoption: 'adopt', probate: 'probat', rate: 'rate',
    controll: 'control', roll: 'roll', yellow: 'yellow', executioner: 'execut', was: 'was',
  }; // prettier-ignore
  for (const [word, expected] of Object.entries(stems)) assert.is(stem(word), expected, word);
});

rouges('nothing in common, nothing at all', () => {
  const zero = { recall: 0, precision: 0, f: 0 };
  const found = rouge({ reference: ['one two'], candidate: [] });
  assert.equal(found, { rouge1: zero, rouge2: zero, rougeL: zero, rougeLsum: zero });
  assert.equal(rouge({ reference: ['!'], candidate: ['?'] }).rouge1, zero);
});

rouges('an interval is a function of the seed and narrows with more values', () => {
  const values = Array.from({ length: 50 }, (_, i) => i % 10);
  assert.equal(bootstrapInterval(values), bootstrapInterval(values));
  assert.not.equal(bootstrapInterval(values), bootstrapInterval(values, { seed: 1 }));
  const { mean, low, high } = bootstrapInterval(values);
  assert.is(mean, 4.5);
  assert.ok(low < mean && mean < high);
  const more = bootstrapInterval([...values, ...values, ...values, ...values]);
  assert.ok(more.high - more.low < high - low);
  const narrow = bootstrapInterval(values, { confidence: 0.5 });
  assert.ok(narrow.high - narrow.low < high - low);
  assert.equal(bootstrapInterval([]), { mean: 0, low: 0, high: 0 });
});

rouges.run();
