import { Command, InvalidArgumentError, Option } from 'commander';
import { readdirSync } from 'node:fs';
import path from 'node:path';

import { GlmError } from '../errors.js';
import { ioError } from '../files.js';
import type { FineTuneEvent, FineTuneOptions } from '../tasks/fine-tune/options.js';
import { fineTuneSeeds, type SeedsResult } from '../tasks/fine-tune/seeds.js';
import { findTask, fineTuningTasks } from '../tasks/tasks.js';
import { integer, number } from './arguments.js';
import { interruptible } from './generation.js';
import { LiveLine, print } from './output.js';
import { addTaskOptions, type TaskFlags, taskOptions } from './task-options.js';

interface Options extends TaskFlags {
  model: string;
  data?: string;
  train?: string[];
  dev?: string[];
  out?: string;
  resume?: true;
  seeds: number;
  seed: number;
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  weightDecay?: number;
  warmup?: number;
  labelSmoothing?: number;
  dropout?: number;
  evaluateEvery: number;
  microBatchTokens: number;
  checkpointActivations?: true;
  loraRank?: number;
  promptLength?: number;
  promptEncoder?: 'lstm' | 'mlp' | 'none';
  promptInit?: true;
  freeze?: true;
  tuneLayers?: number;
  skipBad?: true;
  threads?: number;
  device?: FineTuneOptions['device'];
  dtype?: 'float32' | 'bfloat16';
  json?: true;
}

/** `glm finetune`: a model on a task, with the paper's settings, once or with several seeds. */
export function finetune(): Command {
  const tasks = Object.values(fineTuningTasks).map(
    ({ name, description }) => `  ${name.padEnd(18)}${description}`,
  );
  const command = new Command('finetune')
    .description(
      'Fine-tune a model on a task with the settings of the paper; the epoch that does best on dev is kept.',
    )
    .argument('<task>', 'one of the tasks below', taskName)
    .requiredOption('--model <folder>', 'the model to start from')
    .option('--data <folder>', 'holds the files of the data set: train.jsonl, val.jsonl, …')
    .option('--train <files...>', 'files to learn from, rather than those of --data')
    .option('--dev <files...>', 'files that are scored after each epoch')
    .option('--out <folder>', 'folder of the run: checkpoints, best/ (model and predictions), result.json')
    .option('--resume', 'go on with the run in the folder')
    .option('--seeds <n>', 'runs, each with a seed of its own: median and spread', integer(1), 1)
    .option('--seed <n>', 'the first', integer(0), 0)
    .option('--epochs <n>', 'left out, as what follows: the paper’s', number)
    .option('--batch-size <n>', 'examples of a step', integer(1))
    .option('--learning-rate <rate>', '', number)
    .option('--weight-decay <share>', '', number)
    .option('--warmup <share>', 'of the steps', number)
    .option('--label-smoothing <share>', '', number)
    .option('--dropout <p>', 'left out: the model’s', number)
    .option('--evaluate-every <n>', 'epochs', integer(1), 1)
    .option(
      '--micro-batch-tokens <n>',
      'tokens that are computed at once: bounds the memory',
      integer(1),
      8192,
    )
    .option('--checkpoint-activations', 'less memory: compute each layer again in the backward')
    .option('--lora-rank <n>', 'adapters of this rank learn, and the pretrained weights do not', integer(1))
    .option(
      '--prompt-length <n>',
      'trained prompts in front of every text (P-tuning); with --freeze they alone learn',
      integer(1),
    )
    .addOption(
      new Option(
        '--prompt-encoder <kind>',
        'what makes prompts of their embeddings; left out: lstm, and an MLP behind it',
      ).choices(['lstm', 'mlp', 'none']),
    )
    .option('--prompt-init', 'prompts begin as mixtures of a frequent word and a word of the task')
    .option('--freeze', 'the pretrained weights do not learn')
    .option('--tune-layers <n>', 'but the first layers of a frozen model do', integer(0));
  return addTaskOptions(command)
    .option('--skip-bad', 'count records that say something wrong, and go on without them')
    .option('--threads <n>', '', integer(1))
    .option('--device <name>', 'auto, cpu, cuda, cuda:1')
    .addOption(new Option('--dtype <type>').choices(['float32', 'bfloat16']))
    .option('--json', 'one JSON document on stdout, at the end')
    .addHelpText('after', `\nTasks:\n${tasks.join('\n')}`)
    .action(async (name: string, options: Options) => {
      await interruptible(async (signal) => {
        const line = new LiveLine();
        const { data, seeds, json } = options;
        const files = data === undefined ? {} : filesIn(data);
        const { train = files.train, dev = files.dev } = options;
        if (train === undefined) {
          throw new GlmError(
            'GLM_INVALID_ARGUMENT',
            `expected files to learn from, found none${data === undefined ? '' : ` in ${data}`}; give --data with a folder that has train.jsonl, or --train`,
          );
        }
        const result = await fineTuneSeeds(findTask(name), {
          ...taskIndependent(options),
          ...{ train, dev, seeds, signal },
          taskOptions: taskOptions(options),
          onEvent: (event) => report(line, event),
        });
        line.clear();
        print(json, seeds === 1 ? result.runs[0] : result, () => lines(result));
      });
    });
}

function taskName(name: string): string {
  if (fineTuningTasks[name] !== undefined) return name;
  throw new InvalidArgumentError(
    `expected one of ${Object.keys(fineTuningTasks).join(', ')}, found "${name}"`,
  );
}

/** The files of a data set by their usual names: `train.jsonl`, or as the Hub has them, `train-00000-of-00003.parquet`. Throws `GLM_IO`. */
function filesIn(folder: string): { train?: string[]; dev?: string[] } {
  const names = namesIn(folder);
  const filesOf = (split: string) => {
    const whole = ['.jsonl', '.source', '.json', '.txt', '.parquet'].map((ending) => `${split}${ending}`);
    const found = whole.filter((name) => names.includes(name)).slice(0, 1);
    const shards = names.filter((name) => name.startsWith(`${split}-`) && name.endsWith('.parquet'));
    return (found.length > 0 ? found : shards).map((name) => path.join(folder, name));
  };
  const first = (splits: readonly string[]) => splits.map(filesOf).find(({ length }) => length > 0);
  const [train, dev] = [first(['train']), first(['val', 'valid', 'validation', 'dev'])];
  return { ...(train && { train }), ...(dev && { dev }) };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw ioError(`cannot read the folder ${folder}`, error);
  }
}

/** The options without those that are left out or belong to the task. */
function taskIndependent(options: Options): Omit<FineTuneOptions, 'train' | 'dev'> {
  const { model, out, resume, seed, epochs, batchSize, learningRate, weightDecay, warmup, labelSmoothing } =
    options;
  const { dropout, evaluateEvery, microBatchTokens, checkpointActivations, skipBad } = options;
  const { loraRank, promptLength, promptEncoder, promptInit, freeze, tuneLayers } = options;
  const { threads, device, dtype } = options;
  return {
    ...{ model, out, resume, seed, epochs, batchSize, learningRate, weightDecay, warmup, labelSmoothing },
    ...{ dropout, evaluateEvery, microBatchTokens, checkpointActivations, skipBad },
    ...{ loraRank, promptLength, promptEncoder, promptInit, freeze, tuneLayers },
    ...(threads && { threads }),
    ...(device && { device }),
    ...(dtype && { dtype }),
  };
}

function report(line: LiveLine, event: FineTuneEvent): void {
  if (event.type === 'step') line.show(`step ${event.step + 1}, loss ${event.loss.toFixed(3)}`);
  else if (event.type === 'predicting') line.show(`predicting: ${event.done} of ${event.total}`);
  else if (event.type === 'overflow') line.log(`step ${event.step + 1}: loss ${event.loss}: skipped`);
  else if (event.type === 'scored')
    line.log(`epoch ${event.epoch}: loss ${event.trainingLoss.toFixed(3)}${shown(event.metrics)}`);
  else if (event.type === 'diverging')
    line.log(
      `the loss was ${event.before.toFixed(3)} in the beginning: the fine-tune diverges; lower the learning rate`,
    );
}

const shown = (metrics: Record<string, number>) =>
  Object.entries(metrics)
    .map(([name, value]) => `, ${name} ${value.toFixed(2)}`)
    .join('');

function lines({ task, runs, metrics }: SeedsResult): string[] {
  const best = runs.map(
    ({ seed, best: { epoch, metrics }, records: { bad } }) =>
      `seed ${seed}: best epoch ${epoch}${shown(metrics)}${bad > 0 ? `, ${bad} left out` : ''}`,
  );
  const spreads = Object.entries(metrics).map(
    ([name, { median, least, most, deviation }]) =>
      `${task} ${name}: median ${median.toFixed(2)}, ${least.toFixed(2)} to ${most.toFixed(2)}, deviation ${deviation.toFixed(2)}`,
  );
  return runs.length > 1 ? [...best, ...spreads] : best;
}
