/**
 * ROUGE (Lin 2004), as ROUGE-1.5.5 and Google's `rouge_score` count it: words are runs of a to z and 0 to 9 in small
 * letters, n-grams cross sentences, scores are from 0 to 100.
 */

import { NgramCounts } from './ngrams.js';
import { mean } from './mean.js';
import { stem } from './porter-stemmer.js';

/** The sentences of what shall be written and of what a model wrote. */
export interface Summary {
  reference: readonly string[];
  candidate: readonly string[];
}

export interface RougeOptions {
  /** Compares stems of words (Porter) instead of words, as most papers do. Default false. */
  stem?: boolean;
}

/** Shares of the reference and of the candidate that the other has, and their harmonic mean. */
export interface RougeScore {
  recall: number;
  precision: number;
  f: number;
}

/** rougeL takes a summary for one sentence; rougeLsum, which papers report for long summaries, joins those of its sentences. */
export const rougeNames = ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] as const;
export type RougeName = (typeof rougeNames)[number];
export type RougeScores = Record<RougeName, RougeScore>;

export function rouge({ reference, candidate }: Summary, options: RougeOptions = {}): RougeScores {
  const words = wordsWith(options);
  const [right, own] = [reference.map(words), candidate.map(words)];
  const [allRight, allOwn] = [right.flat(), own.flat()];
  return {
    rouge1: rougeN(allRight, allOwn, 1),
    rouge2: rougeN(allRight, allOwn, 2),
    rougeL: score(commonPlaces(allRight, allOwn).length, allRight.length, allOwn.length),
    rougeLsum: score(unionLength(right, own), allRight.length, allOwn.length),
  };
}

/** The mean of every number over some summaries. */
export function meanRouge(scores: readonly RougeScores[]): RougeScores {
  const meanOf = (name: RougeName) => ({
    recall: mean(scores.map((scores) => scores[name].recall)),
    precision: mean(scores.map((scores) => scores[name].precision)),
    f: mean(scores.map((scores) => scores[name].f)),
  });
  return {
    rouge1: meanOf('rouge1'),
    rouge2: meanOf('rouge2'),
    rougeL: meanOf('rougeL'),
    rougeLsum: meanOf('rougeLsum'),
  };
}

function wordsWith({ stem: stemmed = false }: RougeOptions): (sentence: string) => string[] {
  const split = (sentence: string): string[] => sentence.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return stemmed ? (sentence) => split(sentence).map(stem) : split;
}

function score(common: number, inReference: number, inCandidate: number): RougeScore {
  if (common === 0) return { recall: 0, precision: 0, f: 0 };
  return {
    recall: (100 * common) / inReference,
    precision: (100 * common) / inCandidate,
    f: (200 * common) / (inReference + inCandidate),
  };
}

function rougeN(reference: readonly string[], candidate: readonly string[], n: number): RougeScore {
  const [right, own] = [new NgramCounts(reference, n), new NgramCounts(candidate, n)];
  return score(right.common(own), right.total, own.total);
}

/**
 * For each sentence of the reference, its words in a longest common subsequence with any sentence of the candidate (union
 * LCS). A word counts no more often than the candidate has it.
 */
function unionLength(reference: readonly string[][], candidate: readonly string[][]): number {
  const left = new NgramCounts(candidate.flat(), 1);
  let common = 0;
  for (const sentence of reference) {
    const matched = new Set(candidate.flatMap((other) => commonPlaces(sentence, other)));
    for (const [place, word] of sentence.entries()) if (matched.has(place) && left.take(word)) common++;
  }
  return common;
}

/** Places in `a` of a longest common subsequence with `b`; of several the one that ROUGE-1.5.5 finds. */
function commonPlaces(a: readonly string[], b: readonly string[]): number[] {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const at = i * width + j;
      lengths[at] =
        a[i - 1] === b[j - 1]
          ? lengths[at - width - 1]! + 1
          : Math.max(lengths[at - width]!, lengths[at - 1]!);
    }
  const places: number[] = [];
  for (let i = a.length, j = b.length; i > 0 && j > 0;) {
    if (a[i - 1] === b[j - 1]) {
      places.push(--i);
      j--;
    } else if (lengths[i * width + j - 1]! > lengths[(i - 1) * width + j]!) j--;
    else i--;
  }
  return places;
}
