/**
 * Checkpoints that PyTorch wrote load to the bit: `npm run bench -- peers/torch-checkpoint --python python3`, with a Python that
 * has torch.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';

import { GLM } from '../../ts/index.js';

const { values } = parseArgs({ options: { python: { type: 'string', default: 'python3' } } });
const folder = await mkdtemp(path.join(tmpdir(), 'torch-checkpoint-'));
try {
  const script = path.join(import.meta.dirname, 'torch_checkpoint.py');
  const { stdout } = await promisify(execFile)(values.python, [script, folder]);
  const results = [];
  for (const kind of (await readdir(folder)).sort()) results.push({ kind, ...(await compare(kind)) });
  console.log(JSON.stringify({ benchmark: 'torch-checkpoint', torch: stdout.trim(), results }, null, 2));
  if (results.some(({ different }) => different > 0)) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}

/** How many of a checkpoint's values are other bits than PyTorch's. */
async function compare(kind: string): Promise<{ values: number; different: number }> {
  const bytes = await readFile(path.join(folder, kind, 'expected.bin'));
  const expected = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const names = JSON.parse(await readFile(path.join(folder, kind, 'names.json'), 'utf8')) as string[];
  using model = await GLM.load(path.join(folder, kind), { device: 'cpu' });
  let [place, different] = [0, 0];
  for (const name of names) {
    const found = await model.readParameter(name);
    const bits = new Uint32Array(found.buffer, found.byteOffset, found.length);
    for (const value of bits) if (value !== expected[place++]) different++;
  }
  return { values: place, different: different + Math.abs(place - expected.length) };
}
