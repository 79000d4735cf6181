/**
 * LAMBADA or WikiText-103 through a model with random weights, ours and PyTorch's batch by batch in turn:
 * `npm run bench -- evaluate --task wikitext --python V/bin/python`.
 *
 * Both compute the same examples with the same weights in the same batches; PyTorch pads them. The sums of the losses have to
 * agree to 1e-4, and the passages that are right have to be the same number.
 */

import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { type Batch, concatBatches } from '../ts/data/batch.js';
import { GLM } from '../ts/glm.js';
import { losses, sum } from '../ts/model/gradients.js';
import { predictTokens } from '../ts/model/predictions.js';
import { objectsOf } from '../ts/tasks/data-files.js';
import { lastWordExample } from '../ts/tasks/evaluation/lambada.js';
import { detokenizeWikitext } from '../ts/tasks/evaluation/wikitext-detokenizer.js';
import { windows } from '../ts/tasks/evaluation/windows.js';
import { Tokenizer } from '../ts/text/tokenizer.js';
import { Peer } from './support/peer.js';

const shared = path.join(import.meta.dirname, '../../shared');
const { values: options } = parseArgs({
  options: {
    task: { type: 'string', default: 'lambada' },
    lambada: { type: 'string', default: path.join(shared, 'data/lambada/lambada_first1000.jsonl') },
    wikitext: { type: 'string', default: path.join(shared, 'data/wikitext/wikitext-103.valid.tokens') },
    /** BERT's word pieces, one a line. */
    vocabulary: { type: 'string', default: path.join(shared, 'vocab/bert-base-uncased-vocab.txt') },
    preset: { type: 'string', default: 'glm-base' },
    'batch-size': { type: 'string', default: '8' },
    unidirectional: { type: 'boolean', default: false },
    /** The place of the first example, and how many there are at most: a long text can be measured in parts. */
    first: { type: 'string', default: '0' },
    limit: { type: 'string' },
    threads: { type: 'string', default: '2' },
    dtype: { type: 'string', default: 'float32' },
    /** What PyTorch computes the vocabulary for: `loss` or, as the original, `all`. */
    rows: { type: 'string', default: 'loss' },
    python: { type: 'string' },
  },
});

interface Scores {
  loss: number;
  tokens: number;
  right: number;
  milliseconds: number;
}

const threads = Number(options.threads);
const batchSize = Number(options['batch-size']);
const dtype = options.dtype as 'float32' | 'bfloat16';
const sequenceLength = 512;
const direction = options.unidirectional ? 'unidirectional' : 'bidirectional';
const folder = await mkdtemp(path.join(os.tmpdir(), 'glm-native-'));
try {
  await measure();
} finally {
  await rm(folder, { recursive: true });
}

async function measure(): Promise<void> {
  const started = performance.now();
  const all = await readExamples();
  const first = Number(options.first);
  const examples = all.slice(first, first + Number(options.limit ?? Infinity));
  const tokenizing = performance.now() - started;
  using model = await GLM.create(options.preset, { device: 'cpu', threads, dtype });
  const peer = options.python === undefined ? undefined : await startPeer(options.python, model, examples);
  const ours: Scores = { loss: 0, tokens: 0, right: 0, milliseconds: 0 };
  const torch: Scores = { ...ours };
  const add = (all: Scores, own: Scores) => {
    for (const key of ['loss', 'tokens', 'right', 'milliseconds'] as const) all[key] += own[key];
  };
  await score(model, examples.slice(0, 2)); // warm-up
  await peer?.ask('0 2');
  for (let begin = 0; begin < examples.length; begin += batchSize) {
    const end = Math.min(begin + batchSize, examples.length);
    add(ours, await score(model, examples.slice(begin, end)));
    if (peer !== undefined) add(torch, await peer.ask<Scores>(`${begin} ${end}`));
    if ((begin / batchSize) % 10 === 0) {
      const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(1);
      console.error(
        `${end} of ${examples.length}: ${seconds(ours.milliseconds)} s, torch ${seconds(torch.milliseconds)} s`,
      );
    }
  }
  await peer?.close();
  const difference = Math.abs(ours.loss / torch.loss - 1);
  console.log(
    JSON.stringify(
      {
        benchmark: 'evaluate',
        processor: os.cpus()[0]?.model,
        instructionSet: model.network.device.instructionSet,
        ...{ task: options.task, direction, preset: options.preset, dtype, threads, batchSize },
        examples: examples.length,
        ...{ first, ofExamples: all.length },
        tokens: examples.reduce((sum, { ids }) => sum + ids.length, 0),
        tokenizingSeconds: tokenizing / 1000,
        ours: shown(ours),
        ...(peer && {
          torch: { rows: options.rows, ...shown(torch) },
          relativeDifferenceOfLoss: difference,
          oursIsFasterBy: torch.milliseconds / ours.milliseconds,
        }),
      },
      null,
      2,
    ),
  );
  if (peer !== undefined && (difference > 1e-4 || ours.tokens !== torch.tokens)) process.exitCode = 1;
}

function shown({ loss, tokens, right, milliseconds }: Scores) {
  return {
    seconds: milliseconds / 1000,
    meanLoss: loss / tokens,
    scoredTokens: tokens,
    ...(options.task === 'lambada' && { right }),
  };
}

async function score(model: GLM, examples: readonly Batch[]): Promise<Scores> {
  const started = performance.now();
  const batch = concatBatches(examples);
  if (options.task !== 'lambada') {
    const values = await losses(model.network, batch);
    return { loss: sum(values), tokens: values.length, right: 0, milliseconds: performance.now() - started };
  }
  const predicted = await predictTokens(model.network, batch);
  let at = 0;
  const right = examples.filter(({ targets, lossMask }) => {
    const answer = targets!.filter((_, i) => lossMask![i] === 1);
    const likeliest = predicted.likeliest.subarray(at, (at += answer.length));
    return answer.every((id, i) => likeliest[i] === id);
  }).length;
  return { loss: sum(predicted.losses), tokens: at, right, milliseconds: performance.now() - started };
}

async function readExamples(): Promise<Batch[]> {
  await writeFile(path.join(folder, 'vocab.txt'), await readFile(options.vocabulary));
  const tokenizer = await Tokenizer.load(folder);
  const examples: Batch[] = [];
  if (options.task === 'lambada') {
    const fail = (error: unknown) => {
      throw error;
    };
    for await (const line of objectsOf(options.lambada, fail)) {
      const where = line.where;
      examples.push(
        await lastWordExample(line.text('text'), { tokenizer, direction, sequenceLength, where }),
      );
    }
  } else {
    const document = await tokenizer.encode(detokenizeWikitext(await readFile(options.wikitext, 'utf8')));
    const cut = { special: tokenizer.special, direction, sequenceLength, overlap: 256 } as const;
    examples.push(...windows(document, cut));
  }
  return examples;
}

async function startPeer(python: string, model: GLM, examples: readonly Batch[]): Promise<Peer> {
  if (spawnSync(python, ['-c', 'import torch']).status !== 0) throw new Error(`${python} has no torch`);
  const weights = path.join(folder, 'model.safetensors');
  const request = path.join(folder, 'request.json');
  await model.save(folder);
  const { num_layers, hidden_size, num_attention_heads, vocab_size, max_sequence_length } = model.config;
  await writeFile(
    request,
    JSON.stringify({
      sizes: { num_layers, hidden_size, num_attention_heads, vocab_size, max_sequence_length, dropout: 0 },
      ...{ weights, threads, dtype, rows: options.rows },
      examples: examples.map(({ ids, positions, blockPositions, contextLengths, targets, lossMask }) => ({
        ids: [...ids],
        positions: [...positions],
        block_positions: [...blockPositions],
        targets: [...targets!],
        loss_mask: [...lossMask!],
        context_length: contextLengths[0],
      })),
    }),
  );
  const peer = new Peer(python, [path.join(import.meta.dirname, 'peers/torch_evaluate.py'), request]);
  await peer.ask();
  return peer;
}
