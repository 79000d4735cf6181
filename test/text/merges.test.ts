import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { MergeTable } from '../../ts/text/merges.js';

const merging = suite('text: merging symbols');

/** Merges as the definition says: look for the pair of the lowest rank, the leftmost of equals, and join it. */
function mergeByDefinition(
  symbols: number[],
  merges: Map<string, { rank: number; merged: number }>,
): number[] {
  for (;;) {
    let best = { rank: Infinity, merged: 0, at: -1 };
    for (let at = 0; at + 1 < symbols.length; at++) {
      const merge = merges.get(`${symbols[at]} ${symbols[at + 1]}`);
      if (merge !== undefined && merge.rank < best.rank) best = { ...merge, at };
    }
    if (best.at < 0) return symbols;
    symbols.splice(best.at, 2, best.merged);
  }
}

/** A small multiplicative generator: the same numbers everywhere. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 0x7fffffff;
    return state % below;
  };
}

merging('gives what the definition gives, for short words and long ones', () => {
  const random = generator(7);
  for (let round = 0; round < 200; round++) {
    const alphabet = 2 + random(4);
    const table = new MergeTable(64);
    const merges = new Map<string, { rank: number; merged: number }>();
    let symbols = alphabet;
    for (let rank = 0; rank < 40; rank++) {
      const [left, right] = [random(symbols), random(symbols)];
      // Some ranks are shared, as the pairs of one SentencePiece piece share its score.
      const merge = { rank: rank - (rank % 3 === 1 ? 1 : 0), merged: symbols };
      if (merges.has(`${left} ${right}`)) continue;
      merges.set(`${left} ${right}`, merge);
      table.add(left, right, merge.rank, merge.merged);
      symbols++;
    }
    for (const length of [0, 1, 2, 3, 10, 63, 64, 65, 66, 300]) {
      const word = Int32Array.from({ length }, () => random(alphabet));
      const expected = mergeByDefinition([...word], merges);
      const found = word.slice();
      assert.equal([...found.subarray(0, table.apply(found, length))], expected, `round ${round}, ${length}`);
    }
  }
});

merging('of two ranks of a pair the lower holds', () => {
  const table = new MergeTable(4);
  table.add(1, 2, 5, 10);
  table.add(1, 2, 3, 11);
  table.add(1, 2, 4, 12);
  const word = Int32Array.of(1, 2);
  assert.is(table.apply(word, 2), 1);
  assert.is(word[0], 11);
});

merging('a word of a million symbols is no trouble', () => {
  const table = new MergeTable(20);
  for (let i = 0; i < 20; i++) table.add(i, i, i, i + 1);
  const word = new Int32Array(1 << 20);
  const began = performance.now();
  assert.is(table.apply(word, word.length), 1);
  assert.ok(performance.now() - began < 20_000);
});

merging.run();
