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
  tokens: number[];
}

export interface Example {
  sample: number;
  objective: number;
  ids: number[];
  context: number[];
  /** Of the context. */
  positions: number[];
  /** In the order of Part B. */
  spans: Span[];
  /** The text that the example was made of. */
  text: number[];
}

const masks = new Set([special.mask, special.gmask, special.smask]);

/** Takes the examples of a batch apart. Throws where Part A and Part B do not belong together. */
export function examplesOf(batch: Batch): Example[] {
  return Array.from({ length: batch.contextLengths.length }, (_, i) => exampleOf(batch, i));
}

function exampleOf(batch: Batch, index: number): Example {
  const begin = batch.offsets[index] as number;
  const end = batch.offsets[index + 1] as number;
  const part = begin + (batch.contextLengths[index] as number);
  const context = [...batch.ids.subarray(begin, part)];
  const positions = [...batch.positions.subarray(begin, part)];
  const blanks = [...context.keys()].filter((i) => masks.has(context[i] as number));
  const filled = new Map<number, number[]>();
  const order: number[] = [];
  for (let i = part; i < end;) {
    if (batch.ids[i] !== special.sop) throw new Error(`token ${i} should start a span`);
    const position = batch.positions[i] as number;
    const tokens: number[] = [];
    let at = i;
    for (; ; at++) {
      if (batch.positions[at] !== position) throw new Error(`position ${at}`);
      if (batch.blockPositions[at] !== at - i + 1) throw new Error(`block position ${at}`);
      const target = batch.targets?.[at] as number;
      if (target === special.eop) break;
      tokens.push(target);
      if (at + 1 === end) break; // a suffix has no end-of-piece
      if (batch.ids[at + 1] !== target) throw new Error(`input ${at + 1} should be the target before it`);
    }
    i = at + 1;
    filled.set(position - (positions[0] as number), tokens);
    order.push(position - (positions[0] as number));
  }
  if (filled.size !== blanks.length || !blanks.every((blank) => filled.has(blank)))
    throw new Error(`blanks ${blanks.join()} filled at ${[...filled.keys()].join()}`);
  const text: number[] = [];
  const beginOf = new Map<number, number>();
  for (const [i, id] of context.entries()) {
    const tokens = filled.get(i);
    beginOf.set(i, text.length);
    text.push(...(tokens ?? [id]));
  }
  return {
    sample: batch.samples?.[index] as number,
    objective: batch.objectives?.[index] as number,
    ids: [...batch.ids.subarray(begin, end)],
    context,
    positions,
    spans: order.map((blank) => ({
      begin: beginOf.get(blank) as number,
      tokens: filled.get(blank) as number[],
    })),
    text,
  };
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
