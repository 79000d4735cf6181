import type { GLM } from '../glm.js';
import type { BadRecords } from './bad-records.js';
import type { Prediction, PreparedTask, TaskRecord } from './task.js';

export interface PredictOptions {
  /** Records that are predicted in one call. */
  together: number;
  bad: Pick<BadRecords, 'add'>;
  signal?: AbortSignal | undefined;
  progress?: (done: number, total: number) => void;
}

/** Records with what a model answers to each. */
export interface Predicted<Record extends TaskRecord> {
  records: Record[];
  predictions: Prediction[];
}

/** What a model answers to records, in their order; a record that cannot be worded is left out if that is allowed. */
export async function predictRecords<Record extends TaskRecord>(
  prepared: PreparedTask<Record>,
  model: GLM,
  records: readonly Record[],
  { together, bad, signal, progress }: PredictOptions,
): Promise<Predicted<Record>> {
  const predicted: Predicted<Record> = { records: [], predictions: [] };
  const predict = async (group: readonly Record[]): Promise<void> => {
    signal?.throwIfAborted();
    try {
      predicted.predictions.push(...(await prepared.predict(model, group, signal)));
      predicted.records.push(...group);
    } catch (error) {
      bad.add(error);
      if (group.length > 1) for (const record of group) await predict([record]);
    }
  };
  for (let begin = 0; begin < records.length; begin += together) {
    await predict(records.slice(begin, begin + together));
    progress?.(Math.min(begin + together, records.length), records.length);
  }
  return predicted;
}
