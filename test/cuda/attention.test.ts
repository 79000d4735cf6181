/** What attention's tensor-core kernels move and compute, counted by the simulated device: docs/gpu.md has the same numbers. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { countersOf, missing } from './program.js';

const attention = suite('CUDA, attention');

interface Example {
  length: number;
  context: number;
}

/** Per head of the examples: pairs in the tiles that are multiplied, rows of a head that are loaded and stored, and single numbers. */
interface Work {
  pairs: number;
  loadedRows: number;
  storedRows: number;
  loadedNumbers: number;
  storedNumbers: number;
}

interface Kernel {
  op: 'attention forward' | 'attention backward';
  name: string;
  /** Products over the width or over the tile. */
  products: number;
  work: (example: Example, width: number) => Work;
}

const multiples = (step: number, from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step);
const sum = (numbers: number[]): number => numbers.reduce((total, x) => total + x, 0);

/** Columns [0, …) that some of the rows [row, row + rows) see. */
const columnsSeen = ({ length, context }: Example, row: number, rows: number): number =>
  Math.max(context, Math.min(row + rows, length));
/** The first row that sees a column. */
const firstRow = ({ context }: Example, column: number): number => (column < context ? 0 : column);

/** Blocks of 4 warps over the rows, which go over the columns that their rows see. */
function overRows(example: Example, rowsOfWarp: number, columns: number): { pairs: number; rows: number } {
  const pairs = multiples(rowsOfWarp, 0, example.length).map(
    (row) => rowsOfWarp * columns * Math.ceil(columnsSeen(example, row, rowsOfWarp) / columns),
  );
  const rows = multiples(4 * rowsOfWarp, 0, example.length).map((row) => {
    const tiles = Math.ceil(columnsSeen(example, row, 4 * rowsOfWarp) / columns);
    return 2 * Math.min(tiles * columns, example.length);
  });
  return { pairs: sum(pairs), rows: sum(rows) };
}

const kernels: Kernel[] = [
  {
    op: 'attention forward',
    name: 'Forward',
    products: 2,
    work(example, width) {
      const { pairs, rows } = overRows(example, 32, width === 64 ? 64 : 32);
      const { length } = example;
      return {
        pairs,
        loadedRows: length + rows,
        storedRows: length,
        loadedNumbers: 0,
        storedNumbers: length,
      };
    },
  },
  {
    op: 'attention backward',
    name: 'BackwardQueries',
    products: 3,
    work(example, width) {
      // Strips of 32 columns within tiles of 64 (32).
      const { pairs } = overRows(example, width === 64 ? 32 : 16, 32);
      const { rows } = overRows(example, width === 64 ? 32 : 16, width === 64 ? 64 : 32);
      const { length } = example;
      return {
        pairs,
        loadedRows: 4 * length + rows, // Q, O, and dO for its product and for delta
        storedRows: length,
        loadedNumbers: length,
        storedNumbers: length,
      };
    },
  },
  {
    op: 'attention backward',
    name: 'BackwardKeys',
    products: 4,
    work(example, width) {
      const [columns, rows] = width === 64 ? [32, 64] : [16, 32];
      const { length } = example;
      const pairs = multiples(columns, 0, length).map((column) => {
        const strips = Math.ceil(length / 32) - Math.floor(firstRow(example, column) / 32);
        return columns * 32 * strips;
      });
      const seen = multiples(4 * columns, 0, length).map(
        (column) => length - Math.floor(firstRow(example, column) / rows) * rows,
      );
      return {
        pairs: sum(pairs),
        loadedRows: 2 * length + 2 * sum(seen),
        storedRows: 2 * length,
        loadedNumbers: 2 * sum(seen),
        storedNumbers: 0,
      };
    },
  },
];

const examples: Example[] = [
  { length: 290, context: 150 },
  { length: 130, context: 0 },
];
const shape = examples.map(({ length, context }) => `${length}/${context}`).join('+');

for (const { op, name, products, work } of kernels) {
  for (const width of [64, 128]) {
    for (const positions of ['', ' rotary']) {
      const title = `${name}, width ${width}${positions}`;
      if (missing !== undefined) {
        attention.skip(`${title}: ${missing}`);
        continue;
      }
      attention(title, async () => {
        const counters = await countersOf([
          '--small',
          '--op',
          op,
          '--shape',
          `${shape} 1x${width}${positions || ' dropout'}`,
        ]);
        const found = counters.filter((kernel) => kernel.name.includes(`::${name}<${width},`));
        assert.is(found.length, 1);
        const [kernel] = found as [(typeof found)[0]];
        const expected = examples.map((example) => work(example, width));
        const total = (what: keyof Work): number => sum(expected.map((one) => one[what]));

        assert.is(kernel.mma, (products * total('pairs') * width) / (16 * 8 * 16), 'products of 16 × 8 × 16');
        assert.is(kernel.sharedBankConflicts + kernel.ldmatrixConflicts, 0, 'bank conflicts');
        assert.ok(kernel.loadEfficiency >= 0.95, `loads use ${kernel.loadEfficiency} of their sectors`);
        assert.ok(kernel.storeEfficiency >= 0.95, `stores use ${kernel.storeEfficiency} of their sectors`);
        const stored = 2 * width * total('storedRows') + 4 * total('storedNumbers');
        assertWithin(32 * kernel.storeSectors, stored, 'bytes stored');
        // With rotary positions the table's rows come on top, from the first-level cache.
        const loaded = 2 * width * total('loadedRows') + 4 * total('loadedNumbers');
        if (positions === '') assertWithin(32 * kernel.loadSectors, loaded, 'bytes loaded');
      });
    }
  }
}

/** Whole sectors, and what a block reads to know its tile, are at most 5 % more. */
function assertWithin(found: number, expected: number, what: string): void {
  assert.ok(found >= expected && found <= 1.05 * expected, `${what}: expected ${expected}, found ${found}`);
}
attention.run();
