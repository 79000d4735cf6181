/** The generator, and the order that costs no memory. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { Draws, philox, purposes } from '../../ts/data/corpus/draws.js';
import { Permutation } from '../../ts/data/corpus/permutation.js';

const draws = suite('corpus: draws');

draws('Philox4x32-10 gives the numbers of its authors (kat_vectors of Random123)', () => {
  const cases: [counter: number[], key: [number, number], expected: number[]][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, expected] of cases) {
    const words = Uint32Array.from(counter);
    philox(words, ...key);
    assert.equal([...words], expected);
  }
});

draws('another seed, index or purpose gives other words', () => {
  const seen = new Set<number>();
  for (const seed of [0, 1, 2 ** 32]) {
    for (const index of [0, 1, 2 ** 32]) {
      for (const purpose of Object.values(purposes)) {
        const source = new Draws(seed, index, purpose);
        for (let i = 0; i < 9; i++) seen.add(source.word());
      }
    }
  }
  assert.is(seen.size, 3 * 3 * 4 * 9);
});

draws.run();

const order = suite('corpus: order');

order('every size is a permutation, and another seed or epoch is another one', () => {
  for (const size of [1, 2, 3, 4, 5, 17, 255, 256, 257, 1000, 65_537]) {
    const orders = [[3, 0] as const, [4, 0] as const, [3, 1] as const].map(([seed, epoch]) => {
      const permutation = new Permutation(size, seed, epoch, purposes.order);
      return Array.from({ length: size }, (_, i) => permutation.at(i));
    });
    for (const values of orders) {
      assert.equal(
        [...values].sort((a, b) => a - b),
        Array.from({ length: size }, (_, i) => i),
      );
    }
    if (size < 255) continue;
    assert.not.equal(orders[0], orders[1]);
    assert.not.equal(orders[0], orders[2]);
  }
});

order('sizes beyond 32 bits stay in range and differ', () => {
  for (const size of [2 ** 32, 2 ** 40 + 1, 2 ** 53 - 1]) {
    const permutation = new Permutation(size, 1, 0, purposes.order);
    const values = new Set<number>();
    for (let i = 0; i < 2000; i++) {
      const value = permutation.at(size - 1 - i);
      assert.ok(Number.isSafeInteger(value) && value >= 0 && value < size, `${size}: ${value}`);
      values.add(value);
    }
    assert.is(values.size, 2000);
  }
});

order('looks random: each place goes to each sixteenth alike, neighbours are far apart', () => {
  // χ² of 256 cells with 15 × 15 degrees of freedom: above 310 with probability 0.0001. Seeds are fixed.
  const size = 40_001;
  for (let seed = 0; seed < 4; seed++) {
    const permutation = new Permutation(size, seed, 0, purposes.order);
    const cells = new Float64Array(256);
    let near = 0;
    for (let i = 0; i < size; i++) {
      const value = permutation.at(i);
      cells[Math.floor((i * 16) / size) * 16 + Math.floor((value * 16) / size)]!++;
      if (i > 0 && Math.abs(value - permutation.at(i - 1)) < size / 100) near++;
    }
    const expected = size / 256;
    const statistic = cells.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0);
    assert.ok(statistic < 310, `seed ${seed}: χ² is ${statistic}`);
    // About 2 % of the pairs, with a deviation of 0.07 %.
    assert.ok(Math.abs(near / size - 0.0199) < 0.0028, `seed ${seed}: ${near} neighbours are near`);
  }
});

order.run();
