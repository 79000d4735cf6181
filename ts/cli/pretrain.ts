import { existsSync } from 'node:fs';
import path from 'node:path';

import { Command, Option } from 'commander';

import { readJson } from '../checkpoint/files.js';
import { BlankInfilling, type BlankInfillingOptions } from '../data/blank-infilling.js';
import { Corpus, type CorpusOptions } from '../data/corpus.js';
import { GlmError } from '../errors.js';
import { writeFileAtomically } from '../files.js';
import { GLM } from '../glm.js';
import { type GlmConfig, type GlmConfigInput, presets, resolveConfig } from '../model/config.js';
import { Tokenizer } from '../text/tokenizer.js';
import type { TrainerEvent } from '../train/events.js';
import { RunFolder } from '../train/checkpoint.js';
import { findRecipe, recipes, scheduleFor } from '../train/recipes.js';
import { Trainer } from '../train/trainer.js';
import { integer, number } from './arguments.js';
import { addModelOptions, type ModelOptions } from './generation.js';
import { heldOutPrompts } from './held-out-prompts.js';
import { duration, LiveLine, print, status } from './output.js';

interface Options extends ModelOptions {
  out: string;
  recipe: string;
  model?: string;
  tokenizer?: string;
  vocabSize: number;
  maxLength?: number;
  documents?: CorpusOptions['documents'];
  field?: string;
  validation: number;
  steps?: number;
  batchSize: number;
  accumulate?: number;
  learningRate?: number;
  warmup?: number;
  dropout?: number;
  checkpointActivations?: true;
  evaluateEvery?: number;
  sample?: string[];
  checkpointEvery?: number;
  keep: number;
  seed: number;
  resume?: true;
  json?: true;
}

/** What a run is fed; with the trainer's own state it is all that resuming needs. */
interface Feed {
  paths: string[];
  documents?: CorpusOptions['documents'];
  field?: string | undefined;
  validation: number;
  seed: number;
  objective: Omit<BlankInfillingOptions, 'tokenizer'>;
}

/** `glm pretrain`: a new run, or with --resume the rest of one. */
export function pretrain(): Command {
  const command = new Command('pretrain')
    .description('Pretrain a GLM on text files. Ctrl-C once: finish the step, save, end; twice: end at once.')
    .argument('[paths...]', '.txt, .jsonl and .parquet files, each also as .gz; folders; globs')
    .requiredOption('--out <folder>', 'folder of the run: checkpoints, metrics, and the model')
    .option('--resume', 'go on with the run in the folder, with the data it had')
    .option('--recipe <name>', `one of ${Object.keys(recipes).join(', ')}`, 'glm-base')
    .option('--model <name>', `other sizes: a preset (${Object.keys(presets).join(', ')}) or a config.json`)
    .option('--tokenizer <folder>', 'a tokenizer; left out: one is trained on the text')
    .option('--vocab-size <n>', 'tokens of a trained vocabulary', integer(1), 30000)
    .option(
      '--max-length <n>',
      'tokens of a text with its [CLS]; left out: what the model has positions for',
      integer(8),
    )
    .addOption(
      new Option('--documents <rule>', 'what ends a document of a .txt file').choices([
        'blank-line',
        'line',
        'file',
      ]),
    )
    .option('--field <name>', 'field of .jsonl, column of .parquet files')
    .option('--validation <share>', 'share of the documents that is held out', number, 0.01)
    .option(
      '--steps <n>',
      'optimizer steps; left out: the recipe’s, whose schedule is shrunk to them',
      integer(0),
    )
    .option('--batch-size <n>', 'examples of a micro-batch', integer(1), 8)
    .option('--accumulate <n>', 'micro-batches of a step; left out: the recipe’s examples', integer(1))
    .option('--learning-rate <rate>', 'peak; left out: the recipe’s', number)
    .option('--warmup <n>', 'steps; left out: the recipe’s share of them', integer(0))
    .option('--dropout <p>', 'left out: the recipe’s', number)
    .option('--checkpoint-activations', 'less memory: compute each layer again in the backward')
    .option('--evaluate-every <n>', 'steps; left out: a tenth of them, at most 500', integer(0))
    .option(
      '--sample <text...>',
      'texts with blanks that are filled at each evaluation; left out: held-out ones',
    )
    .option('--checkpoint-every <n>', 'steps; left out: a tenth of them, at most 1000', integer(0))
    .option('--keep <n>', 'checkpoints that stay', integer(1), 2)
    .option('--seed <n>', 'of weights, order, blanks and dropout', integer(0), 0);
  return addModelOptions(command)
    .option('--json', 'one JSON document on stdout, at the end')
    .action(async (paths: string[], options: Options, command: Command) => {
      if (options.resume === true) refuseNewSettings(paths, command);
      else if (paths.length === 0) {
        throw new GlmError(
          'GLM_INVALID_ARGUMENT',
          'expected text files to learn from, found none; name files, folders or globs',
        );
      }
      const trainer = options.resume === true ? await resumed(options) : await started(paths, options);
      await run(trainer, options);
    });
}

/** A run that is gone on with keeps its settings: a setting that would be ignored is refused. */
function refuseNewSettings(paths: readonly string[], command: Command): void {
  const may = new Set(['out', 'resume', 'steps', 'device', 'json']);
  const given = command.options
    .filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli')
    .filter((option) => !may.has(option.attributeName()))
    .map(({ long }) => long);
  const found = [...paths, ...given];
  if (found.length === 0) return;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected only --out, --steps, --device and --json beside --resume, found ${found.join(', ')}; the run keeps its data and settings`,
  );
}

const feedFile = 'pretrain.json';

async function started(paths: string[], options: Options): Promise<Trainer> {
  const { out, validation, seed, documents, field } = options;
  const recipe = findRecipe(options.recipe);
  if (!(await new RunFolder(out).isEmpty())) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected ${out} to hold no run, found one; add --resume, or choose another folder`,
    );
  }
  const { model: name = recipe.model } = options;
  const isFile = name.endsWith('.json');
  const sizes = resolveConfig(isFile ? ((await readJson(name)) as unknown as GlmConfigInput) : name);
  const tokenizer =
    options.tokenizer === undefined
      ? await learnTokenizer(paths, options)
      : await Tokenizer.load(options.tokenizer);
  const config = isFile ? sizes : withVocabulary(sizes, tokenizer);
  const maxLength = options.maxLength ?? config.max_sequence_length;
  const feed: Feed = {
    paths: paths.map((given) => path.resolve(given)),
    documents,
    field,
    validation,
    seed,
    objective: { ...recipe.objective, maxLength },
  };
  const live = await feedOf(feed, tokenizer);
  const { device, threads, dtype, steps = recipe.steps } = options;
  const tenth = Math.max(1, Math.ceil(steps / 10));
  const model = await GLM.create(config, {
    tokenizer,
    seed,
    ...(device && { device }),
    ...(threads && { threads }),
    ...(dtype && { dtype }),
  });
  const trainer = new Trainer(model, {
    ...live,
    optimizer: {
      ...recipe.optimizer,
      ...(options.learningRate !== undefined && { learningRate: options.learningRate }),
    },
    schedule: scheduleFor(recipe, options),
    steps,
    batchSize: options.batchSize,
    gradientAccumulation: options.accumulate ?? Math.ceil(recipe.examplesPerStep / options.batchSize),
    clip: recipe.clip,
    dropout: options.dropout ?? recipe.dropout,
    checkpointActivations: options.checkpointActivations ?? false,
    checkpointDir: out,
    checkpointEvery: options.checkpointEvery ?? Math.min(1000, tenth),
    keep: options.keep,
    evaluateEvery: options.evaluateEvery ?? Math.min(500, tenth),
    samples:
      options.sample ??
      (live.validation ? await heldOutPrompts(live.validation, tokenizer, { maxLength, seed }) : []),
    seed,
  });
  await tokenizer.save(out);
  await writeFileAtomically(path.join(out, feedFile), `${JSON.stringify(feed, null, 2)}\n`);
  return trainer;
}

function learnTokenizer(paths: string[], { vocabSize, field }: Options): Promise<Tokenizer> {
  new LiveLine().log(`learning a vocabulary of ${vocabSize} tokens from the text`);
  return Tokenizer.train(paths, { type: 'bpe', vocabSize, field });
}

async function resumed({ out, steps, device }: Options): Promise<Trainer> {
  const file = path.join(out, feedFile);
  if (!existsSync(file)) {
    throw new GlmError(
      'GLM_IO',
      `expected a run of glm pretrain in ${out}, found no ${feedFile}; check the path`,
    );
  }
  const feed = (await readJson(file)) as unknown as Feed;
  return Trainer.resume(out, {
    ...(await feedOf(feed, await Tokenizer.load(out))),
    steps,
    ...(device && { device }),
  });
}

/** A preset's vocabulary becomes the tokenizer's, padded as the original pads it; that of a config.json stays as it is. */
function withVocabulary(config: GlmConfig, { vocabSize }: Tokenizer): GlmConfig {
  return { ...config, vocab_size: Math.ceil(vocabSize / 128) * 128 };
}

async function feedOf({ paths, documents, field, validation, seed, objective }: Feed, tokenizer: Tokenizer) {
  const line = new LiveLine();
  const corpus = await Corpus.open(paths, {
    tokenizer,
    documents,
    field,
    onProgress: ({ bytes, totalBytes }) =>
      line.show(`tokenizing: ${((100 * bytes) / totalBytes).toFixed(0)} %`),
  });
  line.clear();
  const sides =
    validation > 0 ? await corpus.split({ validation, seed }) : { train: corpus, validation: undefined };
  return {
    data: sides.train,
    validation: sides.validation,
    objective: new BlankInfilling({ tokenizer, ...objective }),
  };
}

/** What is about to run: a step may take minutes until there is more to show. */
function describe({ model, settings, step }: Trainer): string {
  const { steps, batchSize, gradientAccumulation } = settings;
  const examples = batchSize * gradientAccumulation;
  const where = `${model.device}, ${model.network.device.threads} threads`;
  return `${(model.parameterCount / 1e6).toFixed(1)} million parameters on ${where}: steps ${step} to ${steps} of ${examples} examples`;
}

async function run(trainer: Trainer, { json, out }: Options): Promise<void> {
  const line = new LiveLine();
  const { steps } = trainer.settings;
  line.log(describe(trainer));
  let last: TrainerEvent | undefined;
  let interrupts = 0;
  const interrupt = () => {
    if (++interrupts > 1) process.exit(status.interrupted);
    line.log('finishing the step and saving; once more ends at once');
    trainer.stop();
  };
  process.on('SIGINT', interrupt);
  try {
    for await (const event of trainer.run()) {
      if (event.type === 'step') {
        const left = (steps - event.step - 1) * (event.tokens / event.tokensPerSecond);
        const text =
          `step ${event.step + 1} of ${steps}, loss ${event.loss.toFixed(3)}, ` +
          `${event.tokensPerSecond.toFixed(0)} tokens/s, ${duration(left)} left`;
        if (process.stderr.isTTY || (event.step + 1) % 10 === 0) line.show(text);
        if (!process.stderr.isTTY && (event.step + 1) % 10 === 0) line.log(text);
      } else if (event.type === 'evaluation') {
        const each = Object.entries(event.objectives).map(([name, { loss }]) => `${name} ${loss.toFixed(3)}`);
        line.log(`step ${event.step}: held-out loss ${event.loss.toFixed(3)} (${each.join(', ')})`);
      } else if (event.type === 'samples') {
        for (const { prompt, blanks } of event.samples)
          line.log(`step ${event.step}: ${prompt} → ${blanks.map(({ text }) => text.trim()).join(' | ')}`);
      } else if (event.type === 'checkpoint') {
        line.log(`step ${event.step}: saved ${event.path}`);
      } else if (event.type === 'overflow') {
        line.log(`step ${event.step + 1}: loss ${event.loss}, gradient norm ${event.gradientNorm}: skipped`);
      }
      last = event;
    }
  } finally {
    process.off('SIGINT', interrupt);
    line.clear();
  }
  const result = { folder: out, step: last?.step ?? 0, skipped: last?.type === 'done' ? last.skipped : 0 };
  print(json, result, () => [`${result.step} steps done; the model is in ${out}`]);
  if (interrupts > 0) process.exitCode = status.interrupted;
}
