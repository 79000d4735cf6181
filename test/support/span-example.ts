/** Reading examples back: what was masked, and whether a batch can be turned into its text again. */

import type { Batch } from '../../ts/data/batch.js';

export const special = {
  pad: 0,
  cls: 1,
  eos: 2,
  mask: 3,
  sop: 4,
  eop: 5,
  sep: 6,
  unk: 7,
  gmask: 8,
  smask: 9,
  dblock: 10,
};
export const firstWord = 20;
export const vocabulary = 1000;
/** Every tenth word ends a sentence. */
export const sentenceEnds = Uint8Array.from({ length: vocabulary }, (_, id) =>
  id >= firstWord && id % 10 === 0 ? 1 : 0,
);

export interface Span {
  /** In the text, [CLS] included. */
  begin: number;
  length: number;
}

export interface Example {
  sample: number;
  objective: number;
  textLength: number;
  contextLength: number;
  /** Of its first token. */
  position: number;
  /** In the order of Part B. */
  spans: Span[];
}

const masks = new Set([special.mask, special.gmask, special.smask]);

/** Takes the examples of a batch apart. Throws where Part A and Part B do not belong together. */
export function examplesOf(batch: Batch): Example[] {
  return Array.from({ length: batch.contextLengths.length }, (_, i) => exampleOf(batch, i));
}

function exampleOf({ ids, positions, ...batch }: Batch, index: number): Example {
  const begin = batch.offsets[index] as number;
  const contextLength = batch.contextLengths[index] as number;
  const end = batch.offsets[index + 1] as number;
  const position = positions[begin] as number;
  const blanks: { blank: number; begin: number; length: number }[] = [];
  for (let at = begin + contextLength; at < end;) {
    const blank = (positions[at] as number) - position;
    const length = spanLength({ ids, positions, ...batch }, at, end);
    if (!masks.has(ids[begin + blank] as number))
      throw new Error(`position ${blank} of example ${index} is no blank`);
    blanks.push({ blank, begin: 0, length });
    at += Math.min(length + 1, end - at);
  }
  let longer = 0;
  let last = -1;
  for (const span of [...blanks].sort((a, b) => a.blank - b.blank)) {
    if (span.blank === last) throw new Error(`two spans at position ${last} of example ${index}`);
    last = span.blank;
    span.begin = span.blank + longer;
    longer += span.length - 1;
  }
  let unfilled = -blanks.length;
  for (let i = 0; i < contextLength; i++) if (masks.has(ids[begin + i] as number)) unfilled++;
  if (unfilled !== 0) throw new Error(`${unfilled} blanks of example ${index} have no span`);
  return {
    sample: batch.samples?.[index] as number,
    objective: batch.objectives?.[index] as number,
    textLength: contextLength + longer,
    contextLength,
    position,
    spans: blanks.map(({ begin: from, length }) => ({ begin: from, length })),
  };
}

/** The length of the span whose start token is `start`. A suffix has no end-of-piece. */
function spanLength({ ids, positions, blockPositions, targets }: Batch, start: number, end: number): number {
  if (ids[start] !== special.sop) throw new Error(`token ${start} should start a span`);
  for (let at = start; ; at++) {
    if (positions[at] !== positions[start]) throw new Error(`position of token ${at}`);
    if (blockPositions[at] !== at - start + 1) throw new Error(`block position of token ${at}`);
    const target = targets?.[at] as number;
    if (target === special.eop) return at - start;
    if (at + 1 === end) return at - start + 1;
    if (ids[at + 1] !== target) throw new Error(`token ${at + 1} should be the target of the one before`);
  }
}

/** The text that an example was made of. */
export function textOf(batch: Batch, index: number): number[] {
  const { contextLength, spans } = exampleOf(batch, index);
  const begin = batch.offsets[index] as number;
  let at = begin + contextLength;
  const filled = spans.map((span) => {
    const tokens = [...(batch.targets?.subarray(at, at + span.length) ?? [])];
    at += span.length + 1;
    return { ...span, tokens };
  });
  const text: number[] = [];
  let from = begin;
  for (const { begin: start, length, tokens } of filled.sort((a, b) => a.begin - b.begin)) {
    const kept = start - text.length;
    text.push(...batch.ids.subarray(from, from + kept), ...tokens);
    if (text.length !== start + length) throw new Error(`span at ${start} of example ${index}`);
    from += kept + 1;
  }
  text.push(...batch.ids.subarray(from, begin + contextLength));
  return text;
}

/** A small generator of rows: the same numbers everywhere. */
export function words(seed: number): (count: number) => Int32Array {
  let state = (seed * 2654435761 + 1) >>> 0;
  return (count) =>
    Int32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return firstWord + Math.floor((state / 2 ** 32) * (vocabulary - firstWord));
    });
}
