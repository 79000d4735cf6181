/** What a model says of filled blanks without a cache: the whole example in one forward pass. */

import type { Batch } from '../../ts/data/batch.js';
import type { GLM } from '../../ts/glm.js';
import type { BlankTokens } from '../../ts/generate/options.js';

/** A blank with the tokens that stand in it. */
export interface Span {
  index: number;
  ids: ArrayLike<number>;
}

/** Context and spans as one example; a span is start-of-piece and its tokens. */
export function exampleOf(context: ArrayLike<number>, spans: readonly Span[], { sop }: BlankTokens): Batch {
  const ids = Array.from(context);
  const positions = ids.map((_, i) => i);
  const blockPositions = ids.map(() => 0);
  for (const span of spans) {
    [sop, ...Array.from(span.ids)].forEach((id, i) => {
      ids.push(id);
      positions.push(span.index);
      blockPositions.push(i + 1);
    });
  }
  return {
    ids: Int32Array.from(ids),
    positions: Int32Array.from(positions),
    blockPositions: Int32Array.from(blockPositions),
    offsets: Int32Array.of(0, ids.length),
    contextLengths: Int32Array.of(context.length),
  };
}

/** For each span, the logits behind start-of-piece and behind each of its tokens. */
export async function spanLogits(
  model: GLM,
  context: ArrayLike<number>,
  spans: readonly Span[],
  special: BlankTokens,
): Promise<Float32Array[][]> {
  const { logits } = await model.forward(exampleOf(context, spans, special));
  const width = model.config.vocab_size;
  let row = context.length;
  return spans.map(({ ids }) =>
    Array.from({ length: ids.length + 1 }, () => logits.subarray(row * width, ++row * width)),
  );
}

/** log softmax of a row at `id`. */
export function logprobOf(logits: Float32Array, id: number): number {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const total = logits.reduce((sum, x) => sum + Math.exp(x - largest), 0);
  return logits[id]! - largest - Math.log(total);
}

/** The log-probability of a span, and of what ended it. */
export function spanLogprob(rows: readonly Float32Array[], ids: ArrayLike<number>, end?: number): number {
  const tokens = end === undefined ? Array.from(ids) : [...Array.from(ids), end];
  return tokens.reduce((sum, id, i) => sum + logprobOf(rows[i]!, id), 0);
}
