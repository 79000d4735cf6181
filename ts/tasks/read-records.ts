import type { BadRecords } from './bad-records.js';
import type { Task, TaskRecord } from './task.js';

/** All records of a task's files. Throws `GLM_IO`, and `GLM_DATA` where bad records are not left out. */
export async function readRecords<Record extends TaskRecord>(
  task: Pick<Task<Record>, 'read'>,
  files: string | readonly string[],
  bad: Pick<BadRecords, 'add'>,
): Promise<Record[]> {
  const records: Record[] = [];
  for (const file of [files].flat()) {
    for await (const record of task.read(file, bad.add)) records.push(record);
  }
  return records;
}
