/**
 * One training step, ours and PyTorch's in turn: `npm run bench -- training-step --python V/bin/python`.
 *
 * Floor: 6 · (parameters of the layers) · tokens operations in matrix products, plus attention and the vocabulary; the
 * rate of the products is measured by `npm run bench -- gemm`.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import type { Batch } from '../ts/data/batch.js';
import { GLM } from '../ts/glm.js';
import { Trainer } from '../ts/train/trainer.js';
import { blankBatch } from './support/blank-batch.js';
import { Peer } from './support/peer.js';
import { median } from './support/statistics.js';

const { values: options } = parseArgs({
  options: {
    preset: { type: 'string', default: 'glm-base' },
    examples: { type: 'string', default: '8' },
    length: { type: 'string', default: '455' }, // about 532 tokens with Part B
    threads: { type: 'string', default: '2' },
    dtype: { type: 'string', default: 'float32' },
    dropout: { type: 'string', default: '0' },
    rows: { type: 'string', default: 'all' },
    compile: { type: 'boolean', default: false },
    repeats: { type: 'string', default: '3' },
    python: { type: 'string' },
  },
});
const threads = Number(options.threads);
const dropout = Number(options.dropout);
const dtype = options.dtype as 'float32' | 'bfloat16';

const batch = await blankBatch(Number(options.examples), Number(options.length));
const tokens = batch.ids.length;
using model = await GLM.create(options.preset, { device: 'cpu', threads, dtype });

const times: Record<'ours' | 'torch', number[]> = { ours: [], torch: [] };
const repeats = Number(options.repeats) + 1; // the first is the warm-up
using trainer = new Trainer(model, { data: () => [batch], steps: repeats, dropout });
const steps = trainer.run();
const peer = options.python === undefined ? undefined : await startPeer(options.python);
const memory = { ours: 0, torch: 0 };

for (let i = 0; i < repeats; i++) {
  const started = performance.now();
  const { value: event } = await steps.next();
  const ours = performance.now() - started;
  if (event?.type !== 'step') throw new Error(`expected a training step, found ${JSON.stringify(event)}`);
  memory.ours = model.network.device.memory().peak;
  const torch = await peer?.ask<{ milliseconds: number; loss: number }>('step');
  if (i > 0) {
    times.ours.push(ours);
    if (torch !== undefined) times.torch.push(torch.milliseconds);
  }
  console.error(
    `step ${i}: ours ${ours.toFixed(0)} ms, loss ${event.loss.toFixed(4)}; torch ${torch?.milliseconds.toFixed(0)} ms`,
  );
}
if (peer !== undefined) memory.torch = (await peer.ask<{ peak: number }>('memory')).peak;
await peer?.close();

const gibibytes = (bytes: number) => (bytes / 2 ** 30).toFixed(2);
console.log(
  JSON.stringify(
    {
      benchmark: 'training-step',
      processor: os.cpus()[0]?.model,
      instructionSet: model.network.device.instructionSet,
      preset: options.preset,
      dtype,
      threads,
      dropout,
      examples: Number(options.examples),
      tokens,
      ours: { milliseconds: median(times.ours), tokensPerSecond: (1000 * tokens) / median(times.ours) },
      ...(peer && {
        torch: {
          rows: options.rows,
          compiled: options.compile,
          milliseconds: median(times.torch),
          tokensPerSecond: (1000 * tokens) / median(times.torch),
        },
        oursIsFasterBy: median(times.torch) / median(times.ours),
      }),
      memoryGiB: {
        oursTensors: gibibytes(memory.ours),
        oursProcess: gibibytes(processPeak()),
        torchProcess: gibibytes(memory.torch),
      },
    },
    null,
    2,
  ),
);

function processPeak(): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return line === null ? 0 : Number(line[1]) * 1024;
}

async function startPeer(python: string): Promise<Peer> {
  const request = path.join(os.tmpdir(), `glm-native-step-${process.pid}.json`);
  const { num_layers, hidden_size, num_attention_heads, vocab_size, max_sequence_length } = model.config;
  writeFileSync(
    request,
    JSON.stringify({
      sizes: { num_layers, hidden_size, num_attention_heads, vocab_size, max_sequence_length, dropout },
      threads,
      dtype,
      rows: options.rows,
      compile: options.compile,
      batch: padded(batch),
    }),
  );
  if (spawnSync(python, ['-c', 'import torch']).status !== 0) throw new Error(`${python} has no torch`);
  const started = new Peer(python, [path.join(import.meta.dirname, 'peers/torch_step.py'), request]);
  await started.ask();
  rmSync(request);
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
