import { Command, InvalidArgumentError } from 'commander';

import { evaluate, evaluations, type EvaluationResult } from '../tasks/evaluation/evaluate.js';
import { fineTuningTasks } from '../tasks/tasks.js';
import { integer } from './arguments.js';
import { addModelOptions, interruptible, loadModel, type ModelOptions } from './generation.js';
import { duration, LiveLine, print } from './output.js';
import { type TaskFlags, addTaskOptions, taskOptions } from './task-options.js';

interface Options extends ModelOptions, TaskFlags {
  model: string;
  data: string[];
  unidirectional?: boolean;
  sequenceLength?: number;
  overlap?: number;
  batchSize?: number;
  predictions?: string;
  skipBad?: boolean;
  json?: boolean;
}

/** `glm eval`: scores a model on a task. */
export function evalCommand(): Command {
  const tasks = [...Object.values(evaluations), ...Object.values(fineTuningTasks)].map(
    ({ name, description }) => `  ${name.padEnd(20)}${description}`,
  );
  const command = new Command('eval')
    .description(
      'Score a model on a task: perplexity, LAMBADA, choices, or the official metrics of a fine-tuning task.',
    )
    .argument('<task>', 'one of those below', taskName)
    .requiredOption(
      '--model <folder>',
      'what `glm pretrain` or `glm finetune` wrote, or a published checkpoint',
    )
    .requiredOption('--data <files...>', 'files to score')
    .option('--unidirectional', 'look at texts from left to right only')
    .option(
      '--sequence-length <n>',
      'tokens of a window of text; left out: the model’s, 1024 at most',
      integer(3),
    )
    .option('--overlap <n>', 'tokens that a window adds to the one before it', integer(1))
    .option('--batch-size <n>', 'examples that are computed together; left out: the task’s', integer(1))
    .option('--predictions <file>', 'what the model answers, as the benchmark takes it')
    .option('--skip-bad', 'count records that say something wrong, and go on without them');
  addTaskOptions(command);
  return addModelOptions(command)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', `\nTasks:\n${tasks.join('\n')}`)
    .action(async (task: string, options: Options) => {
      await interruptible(async (signal) => {
        using model = await loadModel(options.model, options, signal);
        const { data, unidirectional, sequenceLength, overlap, batchSize } = options;
        const { predictions, skipBad, json } = options;
        const ofTask = taskOptions(options);
        const line = new LiveLine();
        const result = await evaluate(model, task, {
          ...{ data, unidirectional, sequenceLength, overlap, batchSize },
          ...{ predictions, skipBad, signal },
          ...(Object.hasOwn(fineTuningTasks, task) ? { taskOptions: ofTask } : ofTask),
          onProgress: ({ done, total }) => line.show(`${task}: ${done} of ${total}`),
        });
        line.clear();
        print(json, result, () => lines(result));
      });
    });
}

function taskName(name: string): string {
  if (Object.hasOwn(evaluations, name) || Object.hasOwn(fineTuningTasks, name)) return name;
  const names = [...Object.keys(evaluations), ...Object.keys(fineTuningTasks)];
  throw new InvalidArgumentError(`expected one of ${names.join(', ')}, found "${name}"`);
}

function lines({ task, metrics, examples, bad, details = {}, seconds }: EvaluationResult): string[] {
  const left = bad > 0 ? `, ${bad} left out` : '';
  return [
    `${task}: ${examples} ${examples === 1 ? 'text' : 'texts'}${left}, ${duration(seconds)}`,
    ...(Object.keys(metrics).length > 0 ? [] : ['  no labels that it could be scored by']),
    ...Object.entries(metrics).map(([name, value]) => `  ${name} ${value.toFixed(4)}`),
    ...Object.entries(details).map(([name, value]) => `  ${name} ${value}`),
  ];
}
