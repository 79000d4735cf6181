/** BLEU (Papineni et al. 2002), from 0 to 100, as sacreBLEU and the COCO caption scorer count it. */

import { NgramCounts } from './ngrams.js';

export interface BleuOptions {
  /** `13a`: as the WMT scorer mteval-v13a splits; `none`: at white space. Default `13a`. */
  tokenize?: '13a' | 'none';
  /** Default false. */
  lowercase?: boolean;
  /**
   * What is done where no n-gram of a length matches: `exp` takes it for 1/2, 1/4, … matches (mteval-v13a); `none` gives 0, as
   * question generation does. Default `exp`.
   */
  smoothing?: 'exp' | 'none';
  /** The longest n-grams. Default 4. */
  order?: number;
}

export interface BleuScore {
  score: number;
  /** By n-gram length: the share of n-grams that a reference has, from 0 to 100. */
  precisions: number[];
  /** What a text loses that is shorter than the references. */
  brevityPenalty: number;
  candidateLength: number;
  /** Of the reference whose length is nearest. */
  referenceLength: number;
  /** By n-gram length: n-grams that a reference has, and all. */
  matches: number[];
  totals: number[];
}

/** BLEU of all texts together, each with any number of references. */
export function bleu(
  candidates: readonly string[],
  references: readonly (readonly string[])[],
  options: BleuOptions = {},
): BleuScore {
  const counts = candidates.map((candidate, i) => count(candidate, references[i] ?? [], options));
  const { order = 4, smoothing = 'exp' } = options;
  return combine(counts, order, smoothing);
}

/** BLEU of one text: lengths of n-grams that it is too short for do not count. */
export function sentenceBleu(
  candidate: string,
  references: readonly string[],
  options: BleuOptions = {},
): BleuScore {
  const counts = count(candidate, references, options);
  const { order = 4, smoothing = 'exp' } = options;
  const long = counts.totals.filter((total) => total > 0).length;
  return combine([counts], Math.max(1, Math.min(order, long)), smoothing);
}

type Counts = Pick<BleuScore, 'candidateLength' | 'referenceLength' | 'matches' | 'totals'>;

function count(
  candidate: string,
  references: readonly string[],
  { tokenize = '13a', lowercase = false, order = 4 }: BleuOptions,
): Counts {
  const tokens = (text: string) => {
    const cased = lowercase ? text.toLowerCase() : text;
    return (tokenize === '13a' ? separated(cased) : cased).split(/\s+/).filter(Boolean);
  };
  const own = tokens(candidate);
  const others = references.map(tokens);
  const byOrder = Array.from({ length: order }, (_, i) => {
    const counts = new NgramCounts(own, i + 1);
    const most = new NgramCounts([], i + 1);
    for (const other of others) most.widen(new NgramCounts(other, i + 1));
    return { matches: counts.common(most), total: counts.total };
  });
  const [nearest = 0] = others
    .map(({ length }) => length)
    .sort((a, b) => Math.abs(a - own.length) - Math.abs(b - own.length) || a - b);
  return {
    candidateLength: own.length,
    referenceLength: nearest,
    matches: byOrder.map(({ matches }) => matches),
    totals: byOrder.map(({ total }) => total),
  };
}

function combine(counts: readonly Counts[], order: number, smoothing: 'exp' | 'none'): BleuScore {
  const sum = (value: (counts: Counts) => number) => counts.reduce((sum, own) => sum + value(own), 0);
  const candidateLength = sum((own) => own.candidateLength);
  const referenceLength = sum((own) => own.referenceLength);
  const lengths = Array.from({ length: order }, (_, i) => i);
  const matches = lengths.map((i) => sum((own) => own.matches[i]!));
  const totals = lengths.map((i) => sum((own) => own.totals[i]!));
  let guess = 1;
  const precisions = lengths.map((i) => {
    if (totals[i] === 0) return 0;
    if (matches[i]! > 0 || smoothing === 'none') return (100 * matches[i]!) / totals[i]!;
    guess /= 2;
    return (100 * guess) / totals[i]!;
  });
  const brevityPenalty =
    candidateLength >= referenceLength ? 1 : Math.exp(1 - referenceLength / candidateLength);
  // Nothing in common is nothing, smoothed or not.
  const nothing = matches[0] === 0 || precisions.includes(0);
  const logarithms = precisions.reduce((sum, precision) => sum + Math.log(precision), 0);
  const score = nothing ? 0 : brevityPenalty * Math.exp(logarithms / order);
  return { score, precisions, brevityPenalty, candidateLength, referenceLength, matches, totals };
}

/** Separates punctuation, but no points and commas between digits. */
function separated(text: string): string {
  const plain = text
    .replaceAll('<skipped>', '')
    .replaceAll('-\n', '')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
  return ` ${plain} `
    .replace(/[{-~[-` -&(-+:-@/]/g, ' $& ')
    .replace(/([^0-9])([.,])/g, '$1 $2 ')
    .replace(/([.,])([^0-9])/g, ' $1 $2')
    .replace(/([0-9])(-)/g, '$1 $2 ');
}
