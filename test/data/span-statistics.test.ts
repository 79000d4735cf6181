/**
 * Random spans have the original's distributions: against 4,000 samples of the original (golden/span_statistics), and
 * against distributions that follow from its rules. Every test rejects at the level 0.001 (test/support/statistics.ts
 * names the tests); the draws are fixed, so the outcome is too.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { BlankInfilling, type BlankInfillingOptions } from '../../ts/data/blank-infilling.js';
import { goldenJson } from '../support/golden.js';
import { type Example, examplesOf, sentenceEnds, special, words } from '../support/span-example.js';
import {
  binomial,
  chiSquare,
  chiSquareOfTwo,
  deviationAgainstSample,
  mean,
  meanAgainstSample,
  rejectOneSided,
  rejectTwoSided,
  sharesAgainstSample,
} from '../support/statistics.js';

const length = 512;

async function sample(
  count: number,
  options: Partial<BlankInfillingOptions>,
  row: (sample: number) => Int32Array,
  seed = 1,
): Promise<Example[]> {
  const objective = new BlankInfilling({ special, sentenceEnds, maxLength: length, ...options });
  const examples: Example[] = [];
  for (let index = 0; index < count; index += 500) {
    const rows = Array.from({ length: Math.min(500, count - index) }, (_, r) => row(index + r));
    examples.push(...examplesOf(await objective.batch(rows, { seed, index })));
  }
  return examples;
}

function assertCentral(score: number, what: string): void {
  assert.ok(Math.abs(score) < rejectTwoSided, `${what}: ${score.toFixed(2)} standard deviations off`);
}
function assertFits(score: number, what: string): void {
  assert.ok(
    score < rejectOneSided,
    `${what}: chi-square is ${score.toFixed(2)} standard deviations too large`,
  );
}

function histogram(values: readonly number[], cells: number): number[] {
  const counts = new Array<number>(cells).fill(0);
  for (const value of values) {
    assert.ok(value >= 0 && value < cells, `${value} is no cell of ${cells}`);
    counts[value] = (counts[value] as number) + 1;
  }
  return counts;
}
const uniform = (cells: number) => new Array<number>(cells).fill(1 / cells);
const maskedTokens = ({ spans }: Example) => spans.reduce((sum, { length: size }) => sum + size, 0);

/** Weights of the lengths 1 … 39: the Poisson distribution without 0, not carried on beyond 39. */
function poissonLengths(rate: number, longest: number): number[] {
  const weights: number[] = [];
  for (let k = 1, weight = Math.exp(-rate); k <= longest; k++) weights.push((weight *= rate / k));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Lengths are drawn until `budget` is reached: the distributions of the number of draws and of their sum. */
function untilReached(probabilities: readonly number[], budget: number): { draws: number[]; sums: number[] } {
  let sumsSoFar = [1];
  const draws = [0];
  const sums: number[] = new Array<number>(budget + probabilities.length).fill(0);
  while (sumsSoFar.some((p) => p > 1e-12)) {
    const next = new Array<number>(budget).fill(0);
    let reached = 0;
    for (const [sum, p] of sumsSoFar.entries())
      for (const [i, q] of probabilities.entries()) {
        const to = sum + i + 1;
        if (to < budget) next[to] = (next[to] as number) + p * q;
        else {
          reached += p * q;
          sums[to] = (sums[to] as number) + p * q;
        }
      }
    draws.push(reached);
    sumsSoFar = next;
  }
  return { draws, sums };
}

// ---- the original's own samples ----------------------------------------------------------------------------------

interface SpanStatistics {
  samples: number;
  mean_spans: number;
  std_spans: number;
  mean_masked_tokens: number;
  std_masked_tokens: number;
  span_length_freq: Record<string, number>;
  mask_position_decile_freq: number[];
}

const against = suite('spans against samples of the original');
let blanks: Example[] = [];

against.before(async () => {
  const word = words(1);
  blanks = await sample(20_000, {}, () => word(length - 1));
});

against('number of spans: mean and deviation (Welch, level 0.001)', () => {
  const golden = goldenJson<SpanStatistics>('span_statistics.json');
  const counts = blanks.map(({ spans }) => spans.length);
  const original = { mean: golden.mean_spans, deviation: golden.std_spans, count: golden.samples };
  assertCentral(meanAgainstSample(counts, original), 'mean');
  assertCentral(deviationAgainstSample(counts, original), 'deviation');
});

against('masked tokens: mean and deviation (Welch, level 0.001)', () => {
  const golden = goldenJson<SpanStatistics>('span_statistics.json');
  const masked = blanks.map(maskedTokens);
  const original = {
    mean: golden.mean_masked_tokens,
    deviation: golden.std_masked_tokens,
    count: golden.samples,
  };
  assertCentral(meanAgainstSample(masked, original), 'mean');
  assertCentral(deviationAgainstSample(masked, original), 'deviation');
});

against('span lengths (chi-square of two samples, level 0.001)', () => {
  const golden = goldenJson<SpanStatistics>('span_statistics.json');
  const longest = 11; // and all beyond
  const total = golden.samples * golden.mean_spans;
  const theirs = new Array<number>(longest).fill(0);
  for (const [spanLength, share] of Object.entries(golden.span_length_freq)) {
    const cell = Math.min(Number(spanLength), longest) - 1;
    theirs[cell] = (theirs[cell] as number) + Math.round(share * total);
  }
  const lengths = blanks.flatMap(({ spans }) => spans.map(({ length: size }) => Math.min(size, longest) - 1));
  assertFits(chiSquareOfTwo(histogram(lengths, longest), theirs), 'lengths');
});

against('where masks fall: deciles of the text (Hotelling, level 0.001)', () => {
  const golden = goldenJson<SpanStatistics>('span_statistics.json');
  const deciles = blanks.map(({ spans }) =>
    histogram(
      spans.flatMap(({ begin, length: size }) =>
        Array.from({ length: size }, (_, i) => Math.floor(((begin + i) * 10) / length)),
      ),
      10,
    ),
  );
  assertFits(sharesAgainstSample(deciles, golden.mask_position_decile_freq, golden.samples), 'deciles');
});

against.run();

// ---- the original's rules -----------------------------------------------------------------------------------------

const rules = suite('spans against the rules of the original');

rules('blank: number of spans and masked tokens (renewal process, chi-square, level 0.001)', async () => {
  const word = words(2);
  const examples = await sample(10_000, {}, () => word(length - 1), 2);
  const { draws, sums } = untilReached(poissonLengths(3, 39), Math.floor(0.15 * length));
  const counts = histogram(examples.map(({ spans }) => spans.length), draws.length); // prettier-ignore
  assertFits(chiSquare(counts, draws), 'number of spans');
  assertFits(chiSquare(histogram(examples.map(maskedTokens), sums.length), sums), 'masked tokens');
});

rules('blank: lengths with another mean, maximum and ratio (chi-square, level 0.001)', async () => {
  const word = words(3);
  const options = { averageSpanLength: 6, maxSpanLength: 8, maskRatio: 0.3 };
  const examples = await sample(4_000, options, () => word(length - 1));
  const probabilities = poissonLengths(6, 8);
  // Wald: among spans drawn until a budget is reached, each length has its own probability.
  const lengths = examples.flatMap(({ spans }) => spans.map(({ length: size }) => size - 1));
  assertFits(chiSquare(histogram(lengths, 8), probabilities), 'lengths');
  const { draws } = untilReached(probabilities, Math.floor(0.3 * length));
  assertFits(chiSquare(histogram(examples.map(({ spans }) => spans.length), draws.length), draws), 'number of spans'); // prettier-ignore
});

rules('blank: a single span, its place uniform (binomial, chi-square, level 0.001)', async () => {
  const word = words(4);
  const rate = 0.3;
  const examples = await sample(10_000, { singleSpanProbability: rate }, () => word(length - 1));
  const single = examples.filter(({ spans }) => spans.length === 1);
  assertCentral(binomial(single.length, examples.length, rate), 'share of single spans');
  // A span of length k begins anywhere in [1, 511 - k]; the last token stays.
  const cells = single.map(({ spans: [span] }) => {
    const room = length - 2 - (span?.length ?? 0) + 1;
    return Math.floor((((span?.begin ?? 0) - 1 + 0.5) / room) * 10);
  });
  assertFits(chiSquare(histogram(cells, 10), uniform(10)), 'places');
});

rules(
  'blank: the first of n spans has the place of the smallest of n draws (chi-square, level 0.001)',
  async () => {
    const word = words(5);
    const examples = await sample(10_000, {}, () => word(length - 1), 5);
    // Place p of m + 1: P(place >= p) = ((m + 1 - p) / (m + 1))^n. Its probability integral transform is uniform, but for
    // the steps of a discrete distribution, which a draw inside the step evens out.
    const even = words(6);
    const cells = examples.map(({ spans }) => {
      const sorted = [...spans].sort((a, b) => a.begin - b.begin);
      const n = spans.length;
      const places = length - 2 - spans.reduce((sum, { length: size }) => sum + size, 0) - n + 2;
      const atLeast = (place: number) => ((places - place) / places) ** n;
      const place = (sorted[0]?.begin ?? 0) - 1;
      const inside = ((even(1)[0] as number) - 20 + 0.5) / 980;
      return Math.floor(10 * (atLeast(place + 1) + inside * (atLeast(place) - atLeast(place + 1))));
    });
    assertFits(chiSquare(histogram(cells, 10), uniform(10)), 'first place');
  },
);

rules('Part B: the first span of the text is anywhere (chi-square, level 0.001)', async () => {
  const word = words(7);
  const examples = await sample(10_000, {}, () => word(length - 1), 7);
  const cells = examples.map(({ spans }) => {
    const first = spans.indexOf(spans.reduce((a, b) => (b.begin < a.begin ? b : a)));
    return Math.floor(((first + 0.5) / spans.length) * 10);
  });
  const expected = new Array<number>(10).fill(0);
  for (const { spans } of examples)
    for (let rank = 0; rank < spans.length; rank++) {
      const cell = Math.floor(((rank + 0.5) / spans.length) * 10);
      expected[cell] = (expected[cell] as number) + 1 / spans.length / examples.length;
    }
  assertFits(chiSquare(histogram(cells, 10), expected), 'rank');
});

rules('blank, three documents: each has what the original gives it (Welch, level 0.001)', async () => {
  const sizes = [90, 230, 180];
  const window = () => {
    const word = words(8);
    return Int32Array.from(sizes.flatMap((size) => [special.cls, ...word(size), special.eos]).slice(1));
  };
  const examples = await sample(10_000, {}, window);
  const begins = [1, 93, 325]; // behind each [CLS]
  const ours = sizes.map((size, d) =>
    examples.map(({ spans }) =>
      spans
        .filter(({ begin }) => begin >= (begins[d] as number) && begin < (begins[d] as number) + size)
        .reduce((sum, { length: size }) => sum + size, 0),
    ),
  );
  const theirs = Array.from({ length: 10_000 }, plainDocuments(sizes, 506));
  for (const [d, masked] of ours.entries()) {
    const other = theirs.map((sample) => sample[d] as number);
    const spread = Math.sqrt(mean(other.map((x) => (x - mean(other)) ** 2)));
    const original = { mean: mean(other), deviation: spread, count: other.length };
    assertCentral(meanAgainstSample(masked, original), `masked tokens of document ${d}`);
    if (d !== 1) assert.ok(Math.max(...masked) <= Math.floor(0.15 * (sizes[d] as number)));
  }
});

/** The rule of the original's sample_span_in_document, for tokens per document: lengths until the budget, shuffled; shorter documents first. */
function plainDocuments(sizes: readonly number[], textLength: number): () => number[] {
  const word = words(9);
  const random = () => ((word(1)[0] as number) - 20 + ((word(1)[0] as number) - 20) / 980) / 980;
  const probabilities = poissonLengths(3, 39);
  const order = [...sizes.keys()].sort((a, b) => (sizes[a] as number) - (sizes[b] as number));
  return () => {
    const lengths: number[] = [];
    while (lengths.reduce((sum, k) => sum + k, 0) < Math.floor(0.15 * textLength)) {
      let left = random();
      lengths.push(1 + probabilities.findIndex((p) => (left -= p) < 0));
    }
    for (let i = lengths.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [lengths[i], lengths[j]] = [lengths[j] as number, lengths[i] as number];
    }
    const masked = new Array<number>(sizes.length).fill(0);
    for (const document of order.slice(0, -1)) {
      const budget = Math.floor(0.15 * (sizes[document] as number));
      while (lengths.length > 0 && (masked[document] as number) + (lengths[0] as number) <= budget)
        masked[document] = (masked[document] as number) + (lengths.shift() as number);
    }
    masked[order.at(-1) as number] = lengths.reduce((sum, k) => sum + k, 0);
    return masked;
  };
}

rules('sentence: which sentences are chosen (all orders counted, chi-square, level 0.001)', async () => {
  // Sentences of 3, 5, 8, 13, 4 and 9 tokens, and at least 0.3 of 43 tokens to mask.
  const sizes = [3, 5, 8, 13, 4, 9];
  const ratio = 0.3;
  const row = Int32Array.from(sizes.flatMap((size) => Array.from({ length: size }, (_, i) => (i + 1 === size ? 30 : 31)))); // prettier-ignore
  const budget = Math.floor(ratio * (row.length + 1));
  const options = { mix: { sentence: 1 }, sentenceRatio: ratio };
  const examples = await sample(10_000, options, () => row);
  const probability = new Map<string, number>();
  const permutations = (left: number[], chosen: number[], tokens: number, share: number) => {
    if (tokens >= budget || left.length === 0) {
      const name = [...chosen].sort().join();
      probability.set(name, (probability.get(name) ?? 0) + share);
      return;
    }
    for (const next of left)
      permutations(
        left.filter((other) => other !== next),
        [...chosen, next],
        tokens + (sizes[next] as number),
        share / left.length,
      );
  };
  permutations([...sizes.keys()], [], 0, 1);
  const names = [...probability.keys()];
  const chosen = examples.map(({ spans }) =>
    names.indexOf(
      spans
        .map(({ length: size }) => sizes.indexOf(size))
        .sort()
        .join(),
    ),
  );
  assertFits(chiSquare(histogram(chosen, names.length), [...probability.values()]), 'sets of sentences');
});

rules('document: length, place and share of suffixes (chi-square, binomial, level 0.001)', async () => {
  const word = words(10);
  const textLength = 202;
  const options = { mix: { document: 1 }, minDocumentRatio: 0.25, suffixProbability: 0.4 };
  const examples = await sample(10_000, options, () => word(textLength - 1));
  const least = Math.floor(0.25 * textLength);
  const most = textLength - 2;
  const lengths = examples.map((example) => maskedTokens(example) - least);
  assertFits(chiSquare(histogram(lengths, most - least + 1), uniform(most - least + 1)), 'lengths');
  // Only a suffix takes the last token.
  const suffixes = examples.filter(({ spans: [s] }) => (s?.begin ?? 0) + (s?.length ?? 0) === textLength);
  assertCentral(binomial(suffixes.length, examples.length, 0.4), 'share of suffixes');
  const places = examples
    .filter(({ spans: [s] }) => (s?.begin ?? 0) + (s?.length ?? 0) < textLength)
    .map(({ spans: [s] }) => Math.floor((((s?.begin ?? 0) - 0.5) / (most - (s?.length ?? 0) + 1)) * 10));
  const spread = new Array<number>(10).fill(0);
  for (let k = least; k <= most; k++)
    for (let place = 0; place <= most - k; place++) {
      const cell = Math.floor(((place + 0.5) / (most - k + 1)) * 10);
      spread[cell] = (spread[cell] as number) + 1 / (most - k + 1) / (most - least + 1);
    }
  assertFits(chiSquare(histogram(places, 10), spread), 'places of long spans');
});

rules('mix: shares of the objectives (chi-square, level 0.001)', async () => {
  const word = words(11);
  const examples = await sample(10_000, { mix: { blank: 5, sentence: 3, document: 2 } }, () => word(63));
  const counts = histogram(examples.map(({ objective }) => objective), 3); // prettier-ignore
  assertFits(chiSquare(counts, [0.5, 0.3, 0.2]), 'objectives');
});

rules('short sequences: share of rows and number of parts (binomial, chi-square, level 0.001)', async () => {
  const word = words(12);
  const rate = 0.25;
  const examples = await sample(8_000, { shortSequenceProbability: rate }, () => word(length - 1));
  const parts = new Map<number, number>();
  for (const { sample: s } of examples) parts.set(s, (parts.get(s) ?? 0) + 1);
  assert.is(parts.size, 8_000);
  // A part of n tokens, n uniform in [32, 510], is cut floor(511 / n) times.
  const expected = new Array<number>(16).fill(0);
  expected[1] = 1 - rate;
  for (let n = 32; n <= length - 2; n++) {
    const cell = Math.floor((length - 1) / n);
    expected[cell] = (expected[cell] as number) + rate / (length - 1 - 32);
  }
  assertFits(chiSquare(histogram([...parts.values()], 16), expected), 'parts of a row');
  const whole = examples.filter(({ textLength }) => textLength === length).length;
  assertCentral(binomial(8_000 - whole, 8_000, rate), 'share of rows that are split');
});

rules('[dBLOCK] in spans: share of tokens (binomial, level 0.001)', async () => {
  const word = words(13);
  const objective = new BlankInfilling({ special, maxLength: length, spanMaskProbability: 0.1 });
  let hidden = 0;
  let tokens = 0;
  for (let index = 0; index < 2_000; index += 500) {
    const batch = await objective.batch(Array.from({ length: 500 }, () => word(length - 1)), { seed: 3, index }); // prettier-ignore
    for (const [i, id] of batch.ids.entries()) {
      if ((batch.blockPositions[i] as number) < 2) continue;
      tokens++;
      if (id === special.dblock) hidden++;
    }
    assert.not.ok(batch.targets?.some((id, i) => batch.lossMask?.[i] === 1 && id === special.dblock));
  }
  assertCentral(binomial(hidden, tokens, 0.1), 'hidden tokens');
});

rules('[dBLOCK] around blanks: all candidates alike (chi-square, level 0.001)', async () => {
  const word = words(14);
  const ratio = 0.05;
  const objective = new BlankInfilling({ special, maxLength: length, contextMaskRatio: ratio });
  const plain = new BlankInfilling({ special, maxLength: length });
  const hidden = [0, 0, 0, 0];
  const candidates = [0, 0, 0, 0];
  for (let index = 0; index < 4_000; index += 500) {
    const rows = Array.from({ length: 500 }, () => word(length - 1));
    const batch = await objective.batch(rows, { seed: 4, index });
    const before = await plain.batch(rows, { seed: 4, index });
    assert.equal(batch.targets, before.targets);
    for (const [e, context] of batch.contextLengths.entries()) {
      const begin = batch.offsets[e] as number;
      const isBlank = (i: number) => i > 0 && i < context && before.ids[begin + i] === special.mask;
      let chosen = 0;
      for (let i = 1; i < context; i++) {
        if (isBlank(i)) continue;
        const near = [1, 2, 3].find((d) => isBlank(i - d) || isBlank(i + d)) ?? 0;
        candidates[near] = (candidates[near] as number) + 1;
        if (batch.ids[begin + i] === special.dblock) {
          hidden[near] = (hidden[near] as number) + 1;
          chosen++;
        }
      }
      assert.is(chosen, Math.floor(ratio * length));
    }
  }
  assert.is(hidden[0], 0);
  const total = mean(candidates.slice(1)) * 3;
  assertFits(chiSquare(hidden.slice(1), candidates.slice(1).map((count) => count / total)), 'distance to the blank'); // prettier-ignore
});

rules('random position: the offset is uniform (chi-square, level 0.001)', async () => {
  const word = words(15);
  const examples = await sample(10_000, { randomPosition: true }, () => word(length - 1));
  // The last position stays below maxLength: offsets 0 … maxLength - context.
  const cells = examples.map(({ position, contextLength }) =>
    Math.floor(((position + 0.5) / (length - contextLength + 1)) * 10),
  );
  const expected = new Array<number>(10).fill(0);
  for (const { contextLength } of examples)
    for (let offset = 0; offset <= length - contextLength; offset++) {
      const choices = length - contextLength + 1;
      const cell = Math.floor(((offset + 0.5) / choices) * 10);
      expected[cell] = (expected[cell] as number) + 1 / choices / examples.length;
    }
  assertFits(chiSquare(histogram(cells, 10), expected), 'offset');
});

rules.run();
