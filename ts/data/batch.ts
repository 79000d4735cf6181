import { GlmError } from '../errors.js';

/**
 * Examples packed one behind the other, N tokens of B examples in all; there is no padding.
 * An example is its context (Part A) followed by its spans (Part B).
 */
export interface Batch {
  /** [N] */
  ids: Int32Array;
  /** [N] where the token is in the corrupted text; a token of a span has the place of its blank */
  positions: Int32Array;
  /** [N] 0 in the context, 1, 2, … inside a span */
  blockPositions: Int32Array;
  /** [B + 1] where each example begins; the last is N */
  offsets: Int32Array;
  /** [B] length of Part A: the tokens that every token of the example sees */
  contextLengths: Int32Array;
  /** [N] what each token should predict; means something only where `lossMask` is 1 */
  targets?: Int32Array | undefined;
  /** [N] 1 where there is a loss */
  lossMask?: Uint8Array | undefined;
  /** [B] the objective that made the example, as a place in `objectiveNames` */
  objectives?: Uint8Array | undefined;
  /** [B] the sample that the example comes from */
  samples?: Int32Array | undefined;
  /** Where the right one of several answers is to be learned, rather than a text. */
  decision?: Decision | undefined;
}

/** What the examples of a batch decide between. */
export type Decision =
  | {
      /** Texts in a blank, each an example of its own. */
      kind: 'choices';
      /** [Q + 1] question q has the examples offsets[q] to offsets[q + 1]. */
      offsets: Int32Array;
      /** [Q] which of its examples is right. */
      labels: Int32Array;
      /** Adds the loss of writing the right one. Default false. */
      generative?: boolean;
    }
  | {
      /** Single words in a blank; every example is a question, and the row with a loss is where the word is read. */
      kind: 'words';
      /** [C] ids of the words. */
      words: Int32Array;
      /** [B] which of them is right. */
      labels: Int32Array;
    }
  | {
      /** The classes of a model's classifier, read at the first token; every example is a question. */
      kind: 'classes';
      /** [B] */
      labels: Int32Array;
    };

/** The objectives of blank infilling; a batch has their places in this list. */
export const objectiveNames = ['blank', 'sentence', 'document'] as const;
export type ObjectiveName = (typeof objectiveNames)[number];

export function objectiveCode(name: ObjectiveName): number {
  return objectiveNames.indexOf(name);
}

/** Examples [begin, end) of a batch, as a batch of its own. */
export function sliceBatch(batch: Batch, begin: number, end: number): Batch {
  const from = batch.offsets[begin];
  const to = batch.offsets[end];
  if (from === undefined || to === undefined || begin > end) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected examples [begin, end) of a batch of ${batch.contextLengths.length}, found [${begin}, ${end})`,
    );
  }
  return {
    ids: batch.ids.slice(from, to),
    positions: batch.positions.slice(from, to),
    blockPositions: batch.blockPositions.slice(from, to),
    offsets: batch.offsets.slice(begin, end + 1).map((offset) => offset - from),
    contextLengths: batch.contextLengths.slice(begin, end),
    ...optional('targets', batch.targets?.slice(from, to)),
    ...optional('lossMask', batch.lossMask?.slice(from, to)),
    ...optional('objectives', batch.objectives?.slice(begin, end)),
    ...optional('samples', batch.samples?.slice(begin, end)),
  };
}

/** The examples of all these batches, in order. A field is there if all of them have it. */
export function concatBatches(batches: readonly Batch[]): Batch {
  const joined = <Name extends Exclude<keyof Batch, 'decision'>>(name: Name) => {
    const arrays = batches.map((batch) => batch[name]);
    return arrays.every((array) => array !== undefined) ? { [name]: concat(arrays) } : {};
  };
  const offsets = new Int32Array(batches.reduce((sum, batch) => sum + batch.contextLengths.length, 1));
  let example = 0;
  let tokens = 0;
  for (const batch of batches) {
    for (let i = 1; i < batch.offsets.length; i++) offsets[++example] = tokens + (batch.offsets[i] as number);
    tokens += batch.ids.length;
  }
  return {
    ids: concat(batches.map(({ ids }) => ids)),
    positions: concat(batches.map(({ positions }) => positions)),
    blockPositions: concat(batches.map(({ blockPositions }) => blockPositions)),
    offsets,
    contextLengths: concat(batches.map(({ contextLengths }) => contextLengths)),
    ...joined('targets'),
    ...joined('lossMask'),
    ...joined('objectives'),
    ...joined('samples'),
    ...joinedDecisions(batches),
  };
}

function joinedDecisions(batches: readonly Batch[]): { decision?: Decision } {
  const decisions = batches.map(({ decision }) => decision);
  const [first] = decisions;
  if (first === undefined || !decisions.every((decision) => decision?.kind === first.kind)) return {};
  const all = decisions as Decision[];
  const labels = concat(all.map((decision) => decision.labels));
  if (first.kind !== 'choices') return { decision: { ...first, labels } };
  const offsets = [0];
  for (const { offsets: own } of all as (typeof first)[]) {
    const begin = offsets.at(-1)!;
    for (const offset of own.subarray(1)) offsets.push(begin + offset);
  }
  return { decision: { ...first, offsets: Int32Array.from(offsets), labels } };
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined) {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, Value>);
}

function concat<T extends Int32Array | Uint8Array>(arrays: readonly T[]): T {
  const length = arrays.reduce((sum, array) => sum + array.length, 0);
  const create = (arrays[0]?.constructor ?? Int32Array) as new (length: number) => T;
  const all = new create(length);
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}
