/** The native ops of decoding check everything again: wrong arguments throw a `GlmError` at the call. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GlmError } from '../../ts/errors.js';
import { native, type NativeCacheRows, type NativeChoices } from '../../ts/native.js';

const ops = suite('generate: native ops');
const device = new native.NativeDevice({ threads: 1 });
const shape = { layers: 2, heads: 2, headWidth: 8, dtype: 'float32' } as const;

/** A batch of examples with these lengths. */
function batchOf(...lengths: number[]) {
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const zeros = new Int32Array(tokens);
  const offsets = [0];
  for (const length of lengths) offsets.push(offsets.at(-1)! + length);
  return device.batch(
    {
      ids: zeros,
      positions: zeros,
      blockPositions: zeros,
      offsets: Int32Array.from(offsets),
      contextLengths: Int32Array.from(lengths),
      rows: new Int32Array(0),
    },
    { vocabulary: 1, positions: 1, blockPositions: 1 },
  );
}

function codeOf(body: () => unknown): string {
  try {
    body();
    return 'none';
  } catch (error) {
    return error instanceof GlmError ? error.code : String(error);
  }
}

/** A cache with `rows` rows. */
function filled(rows: number) {
  const cache = device.keyValueCache(shape);
  device.cacheStep(batchOf(rows), [cache]).dispose();
  return cache;
}

const rows = (slots: number[], shared: number[], sees: number[][]): NativeCacheRows => {
  const seenOffsets = [0];
  for (const { length } of sees) seenOffsets.push(seenOffsets.at(-1)! + length);
  const [s, h, o, e] = [slots, shared, seenOffsets, sees.flat()].map((list) => Int32Array.from(list));
  return { slots: s!, shared: h!, seenOffsets: o!, seen: e! };
};

ops('caches', () => {
  for (const wrong of [{ layers: 0 }, { heads: 1.5 }, { headWidth: 300 }, { dtype: 'int32' as const }]) {
    assert.is(
      codeOf(() => device.keyValueCache({ ...shape, ...wrong })),
      'GLM_INVALID_ARGUMENT',
      JSON.stringify(wrong),
    );
  }
  const cache = filled(4);
  assert.is(
    codeOf(() => device.cacheStep(batchOf(4), [cache])),
    'GLM_INVALID_ARGUMENT',
    'encodes into a full cache',
  );
  const other = device.keyValueCache({ ...shape, heads: 4 });
  assert.is(
    codeOf(() => device.cacheStep(batchOf(1, 1), [device.keyValueCache(shape), other])),
    'GLM_INVALID_ARGUMENT',
  );
  const empty = device.keyValueCache(shape);
  assert.is(
    codeOf(() => device.cacheStep(batchOf(1, 1), [empty, empty])),
    'GLM_INVALID_ARGUMENT',
    'twice',
  );
  assert.is(
    codeOf(() => device.cacheStep(batchOf(1, 1), [empty])),
    'GLM_INVALID_ARGUMENT',
    'too few',
  );
  cache.dispose();
  assert.is(
    codeOf(() => device.cacheStep(batchOf(1), [cache], rows([4], [4], [[4]]))),
    'GLM_DISPOSED',
  );
});

ops('rows of a step', () => {
  const step = (...[slots, shared, sees]: Parameters<typeof rows>) =>
    codeOf(() => device.cacheStep(batchOf(2), [filled(4)], rows(slots, shared, sees)));
  assert.is(step([4, 5], [4], [[4], [4, 5]]), 'none');
  assert.is(
    step(
      [4, 6],
      [3],
      [
        [4, 3],
        [3, 4, 6],
      ],
    ),
    'none',
    'gaps are nobody’s business',
  );
  assert.is(step([4], [4], [[4]]), 'GLM_INVALID_ARGUMENT', 'a slot is missing');
  assert.is(step([4, 4], [4], [[4], [4]]), 'GLM_INVALID_ARGUMENT', 'one slot twice');
  assert.is(step([3, 4], [4], [[3], [4]]), 'GLM_INVALID_ARGUMENT', 'a slot that is shared');
  assert.is(step([4, 5], [5], [[4], [5]]), 'GLM_INVALID_ARGUMENT', 'more shared than written');
  assert.is(step([4, 5], [-1], [[4], [5]]), 'GLM_INVALID_ARGUMENT');
  assert.is(step([4, 5], [4], [[4], [5, 6]]), 'GLM_INVALID_ARGUMENT', 'sees what nobody wrote');
  assert.is(step([4, 5], [4], [[4], [4]]), 'GLM_INVALID_ARGUMENT', 'does not see itself');
  assert.is(step([4, 5], [4], [[4], []]), 'GLM_INVALID_ARGUMENT', 'sees nothing');
  assert.is(step([4, 2 ** 30], [4], [[4], [2 ** 30]]), 'GLM_INVALID_ARGUMENT', 'a row far away');
});

ops('attention', () => {
  const qkv = (tokens: number, width = 48) => device.tensor([tokens, width], 'float32', null, false);
  const step = device.cacheStep(batchOf(3), [device.keyValueCache(shape)]);
  assert.is(
    codeOf(() => device.attentionCached(step, 0, qkv(3))),
    'none',
  );
  assert.is(
    codeOf(() => device.attentionCached(step, 2, qkv(3))),
    'GLM_INVALID_ARGUMENT',
  );
  assert.is(
    codeOf(() => device.attentionCached(step, 0, qkv(2))),
    'GLM_INVALID_ARGUMENT',
  );
  assert.is(
    codeOf(() => device.attentionCached(step, 0, qkv(3, 24))),
    'GLM_INVALID_ARGUMENT',
  );
  assert.is(
    codeOf(() => device.attentionCached(step, 0, qkv(3), qkv(3))),
    'GLM_INVALID_ARGUMENT',
    'a rotary table',
  );
  step.dispose();
  assert.is(
    codeOf(() => device.attentionCached(step, 0, qkv(3))),
    'GLM_DISPOSED',
  );
});

ops('choices', async () => {
  const logits = device.tensor([2, 4], 'float32', Float32Array.of(0, 1, 2, 3, 7, 7, 1, -1), false);
  const right: NativeChoices = {
    limit: 4,
    counts: Int32Array.of(2, 3),
    temperatures: new Float32Array(2),
    topK: new Int32Array(2),
    topP: Float32Array.of(1, 1),
    seeds: new Int32Array(4),
    draws: new Int32Array(4),
    forbiddenOffsets: Int32Array.of(0, 1, 3),
    forbidden: Int32Array.of(3, 2, 3),
  };
  const { ids, logprobs } = await device.chooseTokens(logits, right);
  assert.equal([...ids], [2, 1, 0, 1, -2], 'of equals the lowest id; -2 when there are no more');
  const expected = 2 - Math.log([0, 1, 2, 3].reduce((sum, x) => sum + Math.exp(x), 0));
  assert.ok(Math.abs(logprobs[0]! - expected) < 1e-6, 'of the whole row');
  for (const wrong of [
    { limit: 0 },
    { limit: 5 },
    { counts: Int32Array.of(2) },
    { counts: Int32Array.of(0, 1) },
    { temperatures: Float32Array.of(-1, 0) },
    { temperatures: Float32Array.of(NaN, 0) },
    { temperatures: Float32Array.of(1, 0) },
    { topP: Float32Array.of(0, 1) },
    { topK: Int32Array.of(-1, 1) },
    { seeds: new Int32Array(2) },
    { forbiddenOffsets: Int32Array.of(0, 2, 1) },
    { forbiddenOffsets: Int32Array.of(0, 1, 4) },
    { forbidden: Int32Array.of(3, 2, 4) },
  ]) {
    const code = codeOf(() => device.chooseTokens(logits, { ...right, ...wrong }));
    assert.is(code, 'GLM_INVALID_ARGUMENT', Object.keys(wrong).join());
  }
});

ops.run();
