import type { PlannedPart } from '../documents/plan.js';
import type { PartReader } from '../documents/reader.js';
import type { Source } from '../documents/sources.js';
import type { WordCounts } from './word-counts.js';

/** A part, and the source that it is of. */
export interface CountTask {
  readonly planned: PlannedPart;
  readonly source: Source;
}

/** Adds the words of a part. Says whether it was its source's last. */
export async function countPart(
  { planned, source }: CountTask,
  reading: PartReader,
  words: WordCounts,
): Promise<boolean> {
  const reader = await reading.of(source);
  for await (const stretches of reader.read(planned.part)) for (const { text } of stretches) words.add(text);
  return reader.ended;
}
