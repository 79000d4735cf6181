/** Scores a model on a task, without changing it. */

import { GlmError } from '../../errors.js';
import type { GLM } from '../../glm.js';
import { promptIds } from '../../model/config.js';
import { BadRecords } from '../bad-records.js';
import { predictRecords } from '../predict-records.js';
import { writePredictions } from '../prediction-file.js';
import type { Task, TaskOptions, TaskRecord } from '../task.js';
import { readRecords } from '../read-records.js';
import { findTask, fineTuningTasks } from '../tasks.js';
import { tokenizerOf } from '../tokenizer-of.js';
import {
  checkOptions,
  type Evaluated,
  type Evaluation,
  type EvaluationContext,
  type EvaluationOptions,
} from './evaluation.js';
import { lambada } from './lambada.js';
import { languageModel, wikitext } from './language-modelling.js';
import { multichoice } from './multichoice.js';

export interface EvaluationResult extends Evaluated {
  task: string;
  /** Records that were left out. */
  bad: number;
  seconds: number;
}

/** The tasks that need no fine-tuning, by name. */
export const evaluations: Readonly<Record<string, Evaluation>> = Object.fromEntries(
  [wikitext, languageModel, lambada, multichoice].map((evaluation) => [evaluation.name, evaluation]),
);

/**
 * Evaluates a model: `wikitext`, `ppl`, `lambada` or `multichoice`, or a task of fine-tuning with its official metrics, by
 * name or one of one's own.
 * @throws GlmError GLM_INVALID_ARGUMENT, GLM_DATA (with file and line), GLM_IO, GLM_TOKENIZER, GLM_NUMERIC
 */
export async function evaluate<Record extends TaskRecord>(
  model: GLM,
  task: string | Task<Record>,
  options: EvaluationOptions,
): Promise<EvaluationResult> {
  const started = performance.now();
  const bad = new BadRecords(options.skipBad ?? false);
  const files = options.data === undefined ? [] : [options.data].flat();
  const evaluation = findEvaluation(task);
  checkOptions(evaluation, options);
  const { batchSize = evaluation.usualBatchSize ?? 8, onProgress } = options;
  if (files.length === 0)
    throw new GlmError('GLM_INVALID_ARGUMENT', 'expected data to evaluate on, found none');
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new GlmError('GLM_INVALID_ARGUMENT', `expected a batchSize from 1 on, found ${batchSize}`);
  const context: EvaluationContext = {
    ...options,
    files,
    batchSize,
    progress: (done, total) => onProgress?.({ done, total }),
    bad,
  };
  const evaluated = await evaluation.run(model, context);
  return {
    task: evaluation.name,
    ...evaluated,
    bad: bad.count,
    seconds: (performance.now() - started) / 1000,
  };
}

function findEvaluation<Record extends TaskRecord>(task: string | Task<Record>): Evaluation {
  if (typeof task !== 'string') return evaluationOf(task);
  if (Object.hasOwn(evaluations, task)) return evaluations[task]!;
  if (Object.hasOwn(fineTuningTasks, task)) return evaluationOf(findTask(task));
  const names = [...Object.keys(evaluations), ...Object.keys(fineTuningTasks)];
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected one of the tasks ${names.join(', ')}, found "${task}"`,
  );
}

/** The official metrics of a task of fine-tuning. */
function evaluationOf<Record extends TaskRecord>(task: Task<Record>): Evaluation {
  return {
    name: task.name,
    description: task.description,
    options: ['taskOptions', 'predictions'],
    usualBatchSize: task.settings.evaluationBatchSize,
    async run(model, context) {
      const { files, bad, batchSize, taskOptions = {}, signal, progress } = context;
      const tokenizer = tokenizerOf(model);
      checkLengths(task, model, taskOptions);
      const prepared = await task.prepare({
        positions: model.config.max_sequence_length,
        prompts: promptIds(model.config),
        ...taskOptions,
        tokenizer,
      });
      const { records, predictions } = await predictRecords(
        prepared,
        model,
        await readRecords(task, files, bad),
        { together: batchSize, bad, signal, progress },
      );
      if (records.length === 0) throw bad.nothingLeft(`records in ${files.join(', ')}`);
      if (context.predictions !== undefined)
        await writePredictions(context.predictions, prepared.predictionLines(records, predictions));
      return { metrics: await prepared.score(records, predictions), examples: records.length };
    },
  };
}

/** Throws `GLM_INVALID_ARGUMENT` where texts shall be longer than the model has positions. */
function checkLengths<Record extends TaskRecord>(task: Task<Record>, { config }: GLM, options: TaskOptions) {
  const { max_sequence_length: wanted } = task.adapt?.(config, options) ?? {};
  if (wanted === undefined) return;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected maxLength and maxTargetLength to be at most ${config.max_sequence_length}, the model's positions, found ${wanted}; ` +
      'fine-tuning extends them',
  );
}
