/**
 * Loading a GLM-Large (1.3 GB, float32, random weights, file in the page cache): seconds until the model is there, the
 * process's own memory, and the first forward pass, against reading the file.
 * `node --import tsx bench/load.ts FOLDER` makes the model in the folder when it is not there.
 * Memory in MiB. `trainableSeconds` are those of loading weights and making them the process's own, as training does, in turn
 * with reading the file into new memory.
 */

import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';

import { GLM } from '../ts/glm.js';
import { median } from './support/statistics.js';

const folder = process.argv[2];
if (folder === undefined) throw new Error('expected a folder');
const file = path.join(folder, 'model.safetensors');
if (!existsSync(file)) {
  const made = await GLM.create('glm-large', { device: 'cpu' });
  await made.save(folder);
  made.dispose();
  console.log(`made ${folder}; run again with it, so that nothing of making it is measured`);
} else {
  const before = await ownMebibytes();
  let model!: GLM;
  const loadSeconds = await seconds(async () => {
    model = await GLM.load(folder, { device: 'cpu' });
  });
  const ownAfterLoad = (await ownMebibytes()) - before;
  const batch = {
    ids: Int32Array.from({ length: 64 }, (_, i) => i),
    positions: Int32Array.from({ length: 64 }, (_, i) => i),
    blockPositions: new Int32Array(64),
    offsets: Int32Array.of(0, 64),
    contextLengths: Int32Array.of(64),
  };
  const rows = Int32Array.of(63);
  const forwardSeconds = [await seconds(() => model.forward(batch, { rows }))];
  forwardSeconds.push(await seconds(() => model.forward(batch, { rows })));
  const ownAfterForward = (await ownMebibytes()) - before;
  model.dispose();
  const readSeconds: number[] = [];
  const trainableSeconds: number[] = [];
  for (let round = 0; round < 7; round++) {
    readSeconds.push(await seconds(readWhole));
    trainableSeconds.push(await seconds(loadForTraining));
  }
  console.log(
    JSON.stringify({
      benchmark: 'load',
      readSeconds,
      loadSeconds,
      ownAfterLoad,
      forwardSeconds,
      ownAfterForward,
      trainableSeconds,
      trainableOverRead: Number((median(trainableSeconds) / median(readSeconds)).toFixed(3)),
    }),
  );
}

async function seconds(body: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await body();
  return Number(((performance.now() - began) / 1000).toFixed(3));
}

/** Into memory that is new each time, as a model's is. */
async function readWhole(): Promise<void> {
  const handle = await open(file);
  const { size } = await handle.stat();
  await handle.read(Buffer.allocUnsafeSlow(size), 0, size, 0);
  await handle.close();
}

/** The same weights, the process's own, as training needs them. */
async function loadForTraining(): Promise<void> {
  using model = await GLM.load(folder!, { device: 'cpu' });
  const { parameters, device } = model.network;
  parameters.makeTrainable(device, 'float32');
  await device.synchronize();
}

/** Memory that is not the file's: what the system would have to swap. */
async function ownMebibytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return Math.round(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024);
}
