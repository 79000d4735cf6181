/**
 * One training step, ours and PyTorch's in turn: `npm run bench -- training-step --python V/bin/python`. `--peers`: `all` computes
 * the logits of all rows as the original does, `loss` those of rows that have a loss, `compiled` is `all` through torch.compile.
 *
 * Floor: 6 · (parameters of the layers) · tokens operations in matrix products, 14 · width for each pair of tokens that see
 * each other, and 6 · vocabulary · width for each row with a loss. The ceiling is a plain matrix product of the layers' shape in
 * the same run; the share counts these useful operations only. Processor time is that of all threads of a process; on a machine
 * that others use as well, its ratio says more than that of the clock. PyTorch begins with our weights, and all steps have one
 * batch, so that without dropout the losses have to agree.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import type { Batch } from '../ts/data/batch.js';
import { GLM } from '../ts/glm.js';
import { Trainer } from '../ts/train/trainer.js';
import { blankBatch } from './support/blank-batch.js';
import { Peer } from './support/peer.js';
import { report } from './support/report.js';
import { median } from './support/statistics.js';

const { values: options } = parseArgs({
  options: {
    preset: { type: 'string', default: 'glm-base' },
    examples: { type: 'string', default: '8' },
    length: { type: 'string', default: '455' }, // about 532 tokens with Part B
    threads: { type: 'string', default: '2' },
    dtype: { type: 'string', default: 'float32' },
    dropout: { type: 'string', default: '0' },
    peers: { type: 'string', default: 'all' },
    repeats: { type: 'string', default: '3' },
    'memory-budget': { type: 'string' }, // GiB of tensors; checkpoints activations to stay below
    python: { type: 'string' },
  },
});
const threads = Number(options.threads);
const dropout = Number(options.dropout);
const budget = options['memory-budget'];
const dtype = options.dtype as 'float32' | 'bfloat16';

const batch = await blankBatch(Number(options.examples), Number(options.length));
const tokens = batch.ids.length;
using model = await GLM.create(options.preset, { device: 'cpu', threads, dtype });

const repeats = Number(options.repeats) + 1; // the first is the warm-up
using trainer = new Trainer(model, {
  data: () => [batch],
  steps: repeats,
  dropout,
  memoryBudget: budget === undefined ? null : Math.floor(Number(budget) * 2 ** 30),
  // Those of bench/peers/torch_step.py.
  optimizer: { learningRate: 1e-4, beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: 0.1 },
  schedule: { style: 'constant', warmup: 0 },
});
const steps = trainer.run();
interface Timed {
  name: string;
  peer: Peer;
  milliseconds: number[];
  processor: number[];
  losses: number[];
}
const peers: Timed[] = [];
if (options.python !== undefined) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'glm-bench-step-'));
  await model.save(folder);
  for (const name of options.peers.split(',')) {
    peers.push({
      name,
      peer: await startPeer(options.python, name, folder),
      milliseconds: [],
      processor: [],
      losses: [],
    });
  }
  rmSync(folder, { recursive: true });
}
const ours = { milliseconds: [] as number[], processor: [] as number[], losses: [] as number[] };
const products: { rate: number; processorRate: number }[] = [];

for (let i = 0; i < repeats; i++) {
  const [started, used] = [performance.now(), process.cpuUsage()];
  const { value: event } = await steps.next();
  const spent = performance.now() - started;
  const { user, system } = process.cpuUsage(used);
  if (event?.type !== 'step') throw new Error(`expected a training step, found ${JSON.stringify(event)}`);
  ours.losses.push(event.loss);
  if (i > 0) {
    ours.milliseconds.push(spent);
    ours.processor.push((user + system) / 1000);
  }
  products.push(await productRate());
  for (const { peer, milliseconds, processor, losses } of peers) {
    const step = await peer.ask<{ milliseconds: number; processor: number; loss: number }>('step');
    losses.push(step.loss);
    if (i === 0) continue;
    milliseconds.push(step.milliseconds);
    processor.push(step.processor);
  }
}
const rows = [row('ours', ours, processPeak())];
for (const { name, peer, ...steps } of peers) {
  const { peak } = await peer.ask<{ peak: number }>('memory');
  rows.push(row(`PyTorch, ${name}`, steps, peak));
  await peer.close();
}
report({
  benchmark: 'training-step',
  settings: {
    instructionSet: model.network.device.instructionSet,
    ...{ preset: options.preset, dtype, threads, dropout, examples: Number(options.examples), tokens },
    repeats: repeats - 1,
    usefulTeraOperations: usefulOperations() / 1e12,
    productGFLOPS: Math.max(...products.map(({ rate }) => rate)),
    shareOfProduct: share(ours.milliseconds, 'rate'),
    shareByProcessorTime: share(ours.processor, 'processorRate'),
    memoryBudgetGiB: budget === undefined ? undefined : Number(budget),
    oursTensorsGiB: model.network.device.memory().peak / 2 ** 30,
  },
  rows,
});

function row(
  name: string,
  { milliseconds, processor, losses }: Pick<Timed, 'milliseconds' | 'processor' | 'losses'>,
  peak: number,
) {
  return {
    '': name,
    'step ms': median(milliseconds),
    'tokens/s': (1000 * tokens) / median(milliseconds),
    'times ours': median(milliseconds) / median(ours.milliseconds),
    'processor ms': median(processor),
    'times our processor time': median(processor) / median(ours.processor),
    'peak GiB': peak / 2 ** 30,
    losses: losses.map((loss) => loss.toFixed(4)).join(' '),
  };
}

/** Useful operations of a step over what plain products would do in its time. */
function share(milliseconds: number[], kind: 'rate' | 'processorRate'): number {
  const ceiling = Math.max(...products.map((product) => product[kind]));
  return usefulOperations() / median(milliseconds) / 1e6 / ceiling;
}

/** GFLOPS of the products of a layer's wide matrix, by the clock and by the processor time of all threads. */
async function productRate(): Promise<{ rate: number; processorRate: number }> {
  const { device } = model.network;
  const width = model.config.hidden_size;
  const normal = (shape: number[]) => {
    const tensor = device.normal(shape, { deviation: 1, seed: 1, site: 0, requiresGradient: false });
    return dtype === 'float32' ? tensor : device.cast(tensor, dtype);
  };
  device.openScope();
  try {
    const [x, weight] = [normal([tokens, width]), normal([4 * width, width])];
    await device.synchronize();
    const best = { clock: Infinity, processor: Infinity };
    for (let i = 0; i < 3; i++) {
      const [started, used] = [performance.now(), process.cpuUsage()];
      device.linear(x, weight, null);
      await device.synchronize();
      best.clock = Math.min(best.clock, performance.now() - started);
      const { user, system } = process.cpuUsage(used);
      best.processor = Math.min(best.processor, (user + system) / 1000);
    }
    const millions = (2 * tokens * width * 4 * width) / 1e6;
    return { rate: millions / best.clock, processorRate: millions / best.processor };
  } finally {
    device.closeScope([], false);
  }
}

function usefulOperations(): number {
  const { num_layers, hidden_size: width, vocab_size } = model.config;
  let pairs = 0;
  for (const [b, context] of batch.contextLengths.entries()) {
    const length = batch.offsets[b + 1]! - batch.offsets[b]!;
    pairs += (length * (length + 1)) / 2 + (context * (context - 1)) / 2;
  }
  const lossRows = batch.lossMask!.reduce((sum, mask) => sum + mask, 0);
  return (
    6 * 12 * num_layers * width ** 2 * tokens +
    14 * num_layers * width * pairs +
    6 * vocab_size * width * lossRows
  );
}

function processPeak(): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return line === null ? 0 : Number(line[1]) * 1024;
}

/** With the weights of our model, which are in the folder. */
async function startPeer(python: string, name: string, folder: string): Promise<Peer> {
  const request = path.join(folder, 'request.json');
  const { num_layers, hidden_size, num_attention_heads, vocab_size, max_sequence_length } = model.config;
  writeFileSync(
    request,
    JSON.stringify({
      sizes: { num_layers, hidden_size, num_attention_heads, vocab_size, max_sequence_length, dropout },
      weights: path.join(folder, 'model.safetensors'),
      threads,
      dtype,
      rows: name === 'loss' ? 'loss' : 'all',
      compile: name === 'compiled',
      batch: padded(batch),
    }),
  );
  if (spawnSync(python, ['-c', 'import torch']).status !== 0) throw new Error(`${python} has no torch`);
  const started = new Peer(python, [path.join(import.meta.dirname, 'peers/torch_step.py'), request], {
    OMP_WAIT_POLICY: 'PASSIVE',
  });
  await started.ask();
  return started;
}

/** The batch as PyTorch wants it: [B, T], zeros behind each example. */
function padded({ ids, positions, blockPositions, offsets, contextLengths, targets, lossMask }: Batch) {
  const examples = contextLengths.length;
  const bounds = Array.from(
    { length: examples },
    (_, b) => [offsets[b] as number, offsets[b + 1] as number] as const,
  );
  const longest = Math.max(...bounds.map(([begin, end]) => end - begin));
  const rows = (array: Int32Array | Uint8Array) =>
    bounds.map(([begin, end]) => [
      ...array.subarray(begin, end),
      ...new Array<number>(longest - (end - begin)).fill(0),
    ]);
  return {
    ids: rows(ids),
    positions: rows(positions),
    block_positions: rows(blockPositions),
    targets: rows(targets!),
    loss_mask: rows(lossMask!),
    context_lengths: [...contextLengths],
  };
}
