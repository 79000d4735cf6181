/**
 * Matrix products of GLM's linear layers, and their gradients, against OpenBLAS and oneDNN where they are installed, in
 * turn: `npm run bench -- gemm`.
 *
 * With `--threads 1` times are processor time, which other work on the machine hardly changes; else they are the clock's.
 *
 * Operations: 2 · rows · in · out. The ceiling is the best rate that any of the three reached on any product of the run.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { native } from '../ts/native.js';
import { Peer } from './support/peer.js';
import { report } from './support/report.js';
import { median } from './support/statistics.js';

const { values: options } = parseArgs({
  options: {
    dtype: { type: 'string', default: 'float32,bfloat16' },
    threads: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '5' },
    /** rows × in × out */
    shapes: {
      type: 'string',
      default:
        '4256x768x2304,4256x768x768,4256x768x3072,4256x3072x768,1064x1024x3072,1064x1024x4096,1064x4096x1024,640x768x30592',
    },
  },
});
const threads = Number(options.threads);
const repeats = Number(options.repeats);
const passes = ['forward', 'input', 'weight'] as const;
const libraries = ['openblas', 'onednn'] as const;
type DType = 'float32' | 'bfloat16';

const device = new native.NativeDevice({ threads });
const peer = startPeer();
const versions = await peer?.ask<Record<string, string>>();

interface Product {
  dtype: DType;
  pass: (typeof passes)[number];
  shape: [number, number, number];
}

const noise = Float32Array.from(
  { length: 2 ** 25 },
  (_, i) => ((Math.imul(i, 2654435761) >>> 8) % 201) / 100 - 1,
);
const halfNoise = Uint16Array.from(new Uint32Array(noise.buffer), (bits) => bits >>> 16);

/** Milliseconds, of the processor or of the clock. */
function now(): number {
  const { user, system } = process.cpuUsage();
  return threads === 1 ? (user + system) / 1000 : performance.now();
}

/** Milliseconds of one product, mean of `times`. */
async function ours({ dtype, pass, shape: [rows, inner, out] }: Product, times: number): Promise<number> {
  const values = dtype === 'float32' ? noise : halfNoise;
  const matrix = (height: number, width: number, requiresGradient: boolean) =>
    device.tensor([height, width], dtype, values.subarray(0, height * width), requiresGradient);
  const each = <T>(make: () => T) => Array.from({ length: times }, make);
  device.openScope();
  try {
    const weight = matrix(out, inner, pass === 'weight');
    const inputs = each(() => matrix(rows, inner, pass === 'input'));
    const gradients = pass === 'forward' ? [] : each(() => matrix(rows, out, false));
    if (pass !== 'forward') device.beginTape();
    await device.synchronize();
    let started = now();
    const outputs = inputs.map((x) => device.linear(x, weight, null));
    await device.synchronize();
    if (pass !== 'forward') {
      started = now();
      for (const [i, y] of outputs.entries()) device.backward(y, gradients[i]);
      await device.synchronize();
      device.endTape();
    }
    return (now() - started) / times;
  } finally {
    device.closeScope([], false);
  }
}

const products = options.dtype.split(',').flatMap((dtype) =>
  options.shapes.split(',').flatMap((shape) =>
    passes.map((pass) => ({
      dtype: dtype as DType,
      pass,
      shape: shape.split('x').map(Number) as [number, number, number],
    })),
  ),
);
interface Rates {
  GFLOPS: number;
  OpenBLAS: number | undefined;
  oneDNN: number | undefined;
}

/** Rates of ours and the libraries, which take turns. */
async function measure(product: Product): Promise<Rates> {
  const { dtype, pass, shape } = product;
  const operations = 2 * shape[0] * shape[1] * shape[2];
  const times = Math.max(1, Math.min(8, Math.round(4e9 / operations)));
  const spent = { ours: [] as number[], openblas: [] as number[], onednn: [] as number[] };
  await ours(product, 1);
  for (let i = 0; i < repeats; i++) {
    spent.ours.push(await ours(product, times));
    if (peer === undefined) continue;
    for (const library of libraries) {
      const milliseconds = await peer.ask<number>(`${library} ${pass} ${shape.join(' ')} ${dtype} ${times}`);
      if (milliseconds > 0) spent[library].push(milliseconds);
    }
  }
  const rate = (milliseconds: number[]) => operations / median(milliseconds) / 1e6;
  const ifMeasured = (milliseconds: number[]) => (milliseconds.length > 0 ? rate(milliseconds) : undefined);
  return { GFLOPS: rate(spent.ours), OpenBLAS: ifMeasured(spent.openblas), oneDNN: ifMeasured(spent.onednn) };
}

const best = ({ OpenBLAS = 0, oneDNN = 0 }: Rates) => Math.max(OpenBLAS, oneDNN);
const measured: { product: Product; rates: Rates }[] = [];
for (const product of products) measured.push({ product, rates: await measure(product) });
await peer?.close();
const ceiling = (dtype: DType) =>
  Math.max(
    ...measured
      .filter(({ product }) => product.dtype === dtype)
      .map(({ rates }) => Math.max(rates.GFLOPS, best(rates))),
  );
report({
  benchmark: 'gemm',
  settings: { instructionSet: device.instructionSet, threads, repeats, ...versions },
  rows: measured.map(({ product: { dtype, pass, shape }, rates }) => ({
    dtype,
    pass,
    'rows × in × out': shape.join(' × '),
    ...rates,
    'times the better': peer && rates.GFLOPS / best(rates),
    'share of the ceiling': rates.GFLOPS / ceiling(dtype),
  })),
});

/** The program for OpenBLAS and oneDNN; undefined where they or a compiler are missing. */
function startPeer(): Peer | undefined {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'glm-bench-'));
  try {
    const program = path.join(folder, 'blas');
    const source = path.join(import.meta.dirname, 'peers/blas.cpp');
    const flags = ['-O2', '-std=c++20', '-pthread'];
    const built = spawnSync('c++', [...flags, source, '-o', program, '-lopenblas', '-ldnnl'], {
      encoding: 'utf8',
    });
    if (built.status !== 0) {
      console.error(
        'without OpenBLAS and oneDNN: bench/peers/blas.cpp could not be built (libopenblas-dev, libdnnl-dev)',
      );
      return undefined;
    }
    return new Peer(program, [String(threads)], {
      OMP_NUM_THREADS: String(threads),
      OMP_WAIT_POLICY: 'PASSIVE',
    });
  } finally {
    setTimeout(() => rmSync(folder, { recursive: true }), 1000).unref();
  }
}
