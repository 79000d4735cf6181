import type { GLM } from '../glm.js';
import type { Prediction, PreparedTask, TaskRecord } from './task.js';

export interface PredictOptions {
  /** Records that are predicted in one call. */
  together: number;
  signal?: AbortSignal | undefined;
  progress?: (done: number, total: number) => void;
}

/** What a model answers to records, in their order. */
export async function predictRecords<Record extends TaskRecord>(
  prepared: PreparedTask<Record>,
  model: GLM,
  records: readonly Record[],
  { together, signal, progress }: PredictOptions,
): Promise<Prediction[]> {
  const predictions: Prediction[] = [];
  for (let begin = 0; begin < records.length; begin += together) {
    signal?.throwIfAborted();
    predictions.push(...(await prepared.predict(model, records.slice(begin, begin + together), signal)));
    progress?.(predictions.length, records.length);
  }
  return predictions;
}
