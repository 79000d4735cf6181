/** What the matrix products move and compute, counted by the simulated device: docs/gpu.md has the same numbers. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { countersOf, missing, type Counters } from './program.js';

const products = suite('CUDA, matrix products');

interface Product {
  /** C [m, n] over a depth k of the layer's [rows, in] and [rows, out]. */
  sizes: (rows: number, inner: number, out: number) => readonly [m: number, n: number, k: number];
  op: 'linear forward' | 'linear backward';
  /** Its operands in a kernel's name: whether they lie depth-major. */
  operands: string;
}

const kinds: Record<string, Product> = {
  NT: { op: 'linear forward', operands: 'false, false', sizes: (rows, inner, out) => [rows, out, inner] },
  NN: { op: 'linear backward', operands: 'false, true', sizes: (rows, inner, out) => [rows, inner, out] },
  TN: { op: 'linear backward', operands: 'true, true', sizes: (rows, inner, out) => [out, inner, rows] },
};

const table = [
  { kind: 'NT', layer: [256, 512, 256], type: 'bf16', tile: [64, 64, 32] },
  { kind: 'NN', layer: [256, 512, 256], type: 'bf16', tile: [128, 128, 32] },
  { kind: 'TN', layer: [256, 512, 256], type: 'bf16', tile: [128, 128, 32] },
  { kind: 'NT', layer: [512, 96, 512], type: 'bf16', tile: [128, 128, 32] },
  { kind: 'NT', layer: [16, 512, 256], type: 'bf16', tile: [16, 64, 64] },
  { kind: 'NT', layer: [512, 96, 512], type: 'f32', tile: [128, 64, 16] },
  { kind: 'NN', layer: [512, 96, 512], type: 'f32', tile: [128, 64, 16] },
  { kind: 'TN', layer: [512, 96, 512], type: 'f32', tile: [128, 64, 16] },
  { kind: 'NT', layer: [16, 512, 256], type: 'f32', tile: [16, 128, 16] },
] as const;

/** The one kernel that multiplies tiles so. */
function kernelOf(kernels: Counters[], operands: string): Counters {
  const found = kernels.filter(({ name }) => new RegExp(`multiply_tiles<.*>, ${operands}>`).test(name));
  assert.is(found.length, 1, `${operands} among\n${kernels.map(({ name }) => name).join('\n')}`);
  return found[0] as Counters;
}

for (const { kind, layer, type, tile } of table) {
  const { op, operands, sizes } = kinds[kind] as Product;
  const [m, n, k] = sizes(layer[0], layer[1], layer[2]);
  const title = `${kind} in ${type}, ${m} × ${n} over ${k}, tiles of ${tile.join(' × ')}`;
  if (missing !== undefined) {
    products.skip(`${title}: ${missing}`);
    continue;
  }
  products(title, async () => {
    const options = ['--small', '--op', op, '--type', type, '--shape', layer.join('x')];
    const found = kernelOf(await countersOf(options), operands);
    assert.match(found.name, new RegExp(`BlockShape<[\\w:]+, ${tile.join(', ')},`));
    const [rows, columns, depth] = tile;
    const tileRows = Math.ceil(m / rows);
    const tileColumns = Math.ceil(n / columns);
    const parts = found.blocks / (tileRows * tileColumns);
    const size = type === 'bf16' ? 2 : 4;

    const copies = found.sites.filter((site) => site.class === 'async_copy');
    const copied = copies.reduce((sum, { bytes }) => sum + bytes, 0) / found.launches;
    assert.is(copied, size * k * (tileColumns * m + tileRows * n), 'bytes that the main loop copies');
    const resultSize = found.name.includes('ToFloat') ? 4 * parts : size;
    assert.is(found.globalBytesStored, m * n * resultSize, 'bytes of the result');
    assert.ok(found.loadEfficiency >= 0.95, `loads use ${found.loadEfficiency} of their sectors`);
    assert.ok(found.storeEfficiency >= 0.95, `stores use ${found.storeEfficiency} of their sectors`);
    if (type === 'bf16') {
      const mma =
        ((tileRows * rows) / 16) * ((tileColumns * columns) / 8) * ((Math.ceil(k / depth) * depth) / 16);
      assert.is(found.mma, mma, 'products of 16 × 8 over 16');
    }
    const inMainLoop = found.sites.filter(
      (site) =>
        ['ldmatrix', 'async_copy'].includes(site.class) ||
        (site.class === 'load_shared' && site.file.endsWith('float_tile.cuh')),
    );
    assert.ok(inMainLoop.some((site) => site.class !== 'async_copy'));
    assert.equal(
      inMainLoop.filter(({ conflicts }) => (conflicts ?? 0) > 0),
      [],
      'bank conflicts',
    );
  });
}
products.run();
