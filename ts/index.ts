export { GlmError, type GlmErrorCode } from './errors.js';
export { devices, type DeviceDescription, type DeviceOptions } from './devices.js';
export { GLM, type CreateOptions, type LoadOptions } from './glm.js';
export { convertCheckpoint, type ConvertOptions } from './checkpoint/convert.js';
export { type CheckpointDescription, inspectCheckpoint, type InspectOptions } from './checkpoint/describe.js';
export { type GlmConfig, type GlmConfigInput, presets } from './model/config.js';
export type { BlankTokens, FillOptions } from './generate/options.js';
export type { PromptInput } from './generate/prompt.js';
export type { FilledBlank, FillResult, ScoredHypothesis } from './generate/fill.js';
export type { StreamChunk } from './generate/stream.js';
export type { Choices, ScoreOptions } from './generate/score.js';
export { type LoadTokenizerOptions, Tokenizer } from './text/tokenizer.js';
export type { SpecialTokens } from './text/special-tokens.js';
export type { TrainTokenizerOptions } from './text/train/train.js';
export { Corpus, type CorpusOptions } from './data/corpus.js';
export { BlankInfilling, type BlankInfillingOptions } from './data/blank-infilling.js';
export type { Batch } from './data/batch.js';
export { Trainer } from './train/trainer.js';
export type { TrainerOptions } from './train/options.js';
export { type Recipe, recipes } from './train/recipes.js';
export type * from './train/events.js';
export { writeReport } from './report/report.js';
export type { RunSummary } from './report/summary.js';
export {
  fineTune,
  type FineTuneEvent,
  type FineTuneOptions,
  type FineTuneResult,
  fineTuneSeeds,
  type SeedsResult,
} from './tasks/fine-tune.js';
export { evaluate, type EvaluationResult, evaluations } from './tasks/evaluation/evaluate.js';
export type { Evaluation, EvaluationOptions } from './tasks/evaluation/evaluation.js';
export { findTask, fineTuningTasks, superGlueAverage } from './tasks/tasks.js';
export { blank, type ClozeRecord, type ClozeTask, clozeTask, cuttable } from './tasks/cloze.js';
export type { Fields } from './tasks/data-files.js';
export type { Task, TaskRecord, TaskSettings } from './tasks/task.js';
export * as metrics from './metrics/metrics.js';
