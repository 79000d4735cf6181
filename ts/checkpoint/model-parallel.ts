/**
 * The original's tensor parallelism: each rank holds a part of the heads, of the MLP's inner columns and of the vocabulary.
 * Query, key and value are each split by themselves. Source: `change_mp.py` and `mpu/layers.py` of the original.
 */

import { GlmError } from '../errors.js';
import type { FileArray } from '../io/file-array.js';
import type { NamedArrays } from './tensors.js';
import { join, narrow, narrowWeight, type Weight, whole } from './weight.js';

/** How a parameter is split: along an axis, in `blocks` that are split each by itself; undefined: every rank has all of it. */
function splitOf(name: string, rank: number): { axis: 0 | 1; blocks: 1 | 3 } | undefined {
  if (name.includes('query_key_value')) return { axis: 0, blocks: 3 };
  if (name.includes('dense_h_to_4h')) return { axis: 0, blocks: 1 };
  if (rank !== 2 || /position_embeddings|prompt_spell/.test(name)) return undefined;
  return { axis: name.includes('word_embeddings') ? 0 : 1, blocks: 1 };
}

/** Joins what the ranks have. Throws `GLM_CHECKPOINT_FORMAT` where they don't fit together. */
export function mergeRanks(ranks: readonly NamedArrays[]): Map<string, Weight> {
  const [first, ...others] = ranks as [NamedArrays, ...NamedArrays[]];
  const merged = new Map<string, Weight>();
  for (const [name, array] of first) {
    const arrays = [array, ...others.map((other) => partOf(other, name, array))];
    const split = others.length === 0 ? undefined : splitOf(name, array.shape.length);
    if (split === undefined) {
      merged.set(name, whole(array));
      continue;
    }
    const parts = Array.from({ length: split.blocks }, (_, block) =>
      arrays.map((part) => {
        const length = (part.shape[split.axis] as number) / split.blocks;
        if (!Number.isInteger(length)) throw misfit(part, name, `a multiple of ${split.blocks} rows`);
        return narrow(part, split.axis, block * length, length);
      }),
    ).flat();
    merged.set(name, join(parts, split.axis));
  }
  return merged;
}

/** What rank `index` of `count` has of a weight. Throws `GLM_INVALID_ARGUMENT` where it cannot be split so. */
export function splitForRank(name: string, weight: Weight, index: number, count: number): Weight {
  const split = count === 1 ? undefined : splitOf(name, weight.shape.length);
  if (split === undefined) return weight;
  const extent = weight.shape[split.axis] as number;
  const length = extent / split.blocks / count;
  if (!Number.isInteger(length)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected a number of ranks that divides ${name} [${weight.shape.join(', ')}] along axis ${split.axis}, found ${count}`,
    );
  }
  const parts = Array.from({ length: split.blocks }, (_, block) =>
    narrowWeight(weight, split.axis, (block * extent) / split.blocks + index * length, length),
  );
  const shape = weight.shape.map((size, axis) => (axis === split.axis ? length * split.blocks : size));
  // A weight of several parts was joined along the axis that it is split along.
  return { shape, axis: split.axis, parts: parts.flatMap((part) => part.parts) };
}

function partOf(rank: NamedArrays, name: string, first: FileArray): FileArray {
  const array = rank.get(name);
  if (array === undefined) throw misfit(first, name, 'in every rank');
  if (array.shape.length !== first.shape.length)
    throw misfit(array, name, `with ${first.shape.length} dimensions`);
  return array;
}

function misfit({ file }: FileArray, name: string, expected: string): GlmError {
  return new GlmError(
    'GLM_CHECKPOINT_FORMAT',
    `${file.path}: expected ${name} ${expected}, found otherwise; the files belong to different models`,
  );
}
