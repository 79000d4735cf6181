/** Pairs of texts in files: `<split>.source` beside `<split>.target`, a pair a line; or objects of a .jsonl file. */

import { GlmError } from '../../errors.js';
import { dataError, linesOf, objectsOf, type PlacedLine } from '../data-files.js';
import type { TaskRecord } from '../task.js';

export interface TextPair extends TaskRecord {
  source: string;
  /** The sentences of the target, where its file says what they are; else one text. */
  target: readonly string[];
}

export interface PairForm {
  /** Fields of objects, of which the first that is there counts. */
  sourceFields: readonly string[];
  targetFields: readonly string[];
  /** What the source is made of. */
  source(text: string): string;
  /** The sentences of a target. */
  target(text: string): string[];
}

/** The pairs of a file. Throws `GLM_IO`, `GLM_DATA`. */
export async function* readPairs(
  file: string,
  form: PairForm,
  bad: (error: unknown) => void,
): AsyncGenerator<TextPair, void, void> {
  const pairs = file.endsWith('.source') ? pairsOfLines(file) : pairsOfObjects(file, form, bad);
  for await (const { where, source, target } of pairs) {
    try {
      if (source.trim() === '') throw dataError(where, 'a source text', source);
      if (target.trim() === '') throw dataError(where, 'a target text', target);
      yield { where, source: form.source(source.trim()), target: form.target(target.trim()) };
    } catch (error) {
      bad(error);
    }
  }
}

interface RawPair {
  where: string;
  source: string;
  target: string;
}

async function* pairsOfLines(file: string): AsyncGenerator<RawPair, void, void> {
  const targetFile = file.replace(/\.source$/, '.target');
  const targets = linesOf(targetFile);
  let last: PlacedLine | undefined;
  for await (const { where, text } of linesOf(file)) {
    const { value } = await targets.next();
    if (value === undefined)
      throw new GlmError('GLM_DATA', `${where}: expected a line for it in ${targetFile}, found none`);
    last = value;
    yield { where, source: text, target: value.text };
  }
  if ((await targets.next()).value !== undefined) {
    throw new GlmError(
      'GLM_DATA',
      `${targetFile}: expected as many lines as ${file} has, found more behind ${last?.where ?? 'its beginning'}`,
    );
  }
}

async function* pairsOfObjects(
  file: string,
  { sourceFields, targetFields }: PairForm,
  bad: (error: unknown) => void,
): AsyncGenerator<RawPair, void, void> {
  for await (const line of objectsOf(file, bad)) {
    try {
      yield { where: line.where, source: line.text(...sourceFields), target: line.text(...targetFields) };
    } catch (error) {
      bad(error);
    }
  }
}
