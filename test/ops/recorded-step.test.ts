/**
 * A decoding step that was recorded gives the bits of one whose ops are enqueued one by one, for other tokens and caches, and says
 * where it does not fit.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { Batch } from '../../ts/data/batch.js';
import type { GlmErrorCode } from '../../ts/errors.js';
import { type DecodingStep, newCache, RecordedSteps } from '../../ts/generate/recorded-steps.js';
import { GLM } from '../../ts/glm.js';
import { feed } from '../../ts/model/feed.js';
import { type Network, rowLogits } from '../../ts/model/transformer.js';
import type { NativeKeyValueCache, NativeRecordedStep, NativeTensor } from '../../ts/native.js';
import { assertSameBits } from '../support/close.js';
import { testDevices } from '../support/devices.js';
import { failsWith } from '../support/fails-with.js';
import { TestRandom } from '../support/random.js';
import { poisonFreeMemory } from '../support/tensors.js';

const shape = {
  num_layers: 2,
  hidden_size: 32,
  num_attention_heads: 2,
  vocab_size: 40,
  max_sequence_length: 320,
};
const kinds = [
  ['float32', {}],
  ['bfloat16', {}],
  ['float32, rotary', { position_encoding: 'rotary', block_position_encoding: false }],
] as const;

/** Caches, and how many rows of each are filled. */
interface Sequences {
  caches: NativeKeyValueCache[];
  rows: number[];
}

/** Contexts of these lengths in new caches. */
function encode(network: Network, lengths: readonly number[], random: TestRandom): Sequences {
  const caches = lengths.map(() => newCache(network));
  const batch = tokens(lengths, random);
  new RecordedSteps(network).encode({ batch, wanted: new Int32Array(0), caches }, () => {});
  return { caches, rows: [...lengths] };
}

function tokens(lengths: readonly number[], random: TestRandom): Batch {
  const offsets = [0];
  for (const length of lengths) offsets.push(offsets.at(-1)! + length);
  const all = offsets.at(-1)!;
  return {
    ids: random.integers(all, shape.vocab_size),
    positions: random.integers(all, shape.max_sequence_length),
    blockPositions: random.integers(all, shape.max_sequence_length),
    offsets: Int32Array.from(offsets),
    contextLengths: Int32Array.from(lengths),
  };
}

/** `counts` new tokens for each sequence: all see its rows, those before them and themselves. The last one's logits are wanted. */
function next({ caches, rows }: Sequences, counts: readonly number[], random: TestRandom): DecodingStep {
  const batch = { ...tokens(counts, random), contextLengths: new Int32Array(counts.length) };
  const slots = counts.map((count, s) => Array.from({ length: count }, (_, i) => rows[s]! + i));
  const seen = slots.flatMap((own) => own.map((_, i) => own.slice(0, i + 1)));
  const seenOffsets = [0];
  for (const { length } of seen) seenOffsets.push(seenOffsets.at(-1)! + length);
  return {
    batch,
    wanted: Int32Array.from(counts, (_, s) => batch.offsets[s + 1]! - 1),
    caches,
    cacheRows: {
      slots: Int32Array.from(slots.flat()),
      shared: Int32Array.from(rows),
      seenOffsets: Int32Array.from(seenOffsets),
      seen: Int32Array.from(seen.flat()),
    },
  };
}

/** Op by op. */
function logitsOf(network: Network, step: DecodingStep): Promise<Float32Array> {
  return new RecordedSteps(network).encode(step, (logits) => logits.read()) as Promise<Float32Array>;
}

function record(network: Network, { batch: arrays, wanted, caches, cacheRows }: DecodingStep) {
  const batch = feed(network, arrays, { rows: wanted });
  const step = network.device.cacheStep(batch, caches, cacheRows);
  let logits!: NativeTensor;
  const recorded = network.device.recordStep(step, () => void (logits = rowLogits(network, batch, step)));
  for (const made of [batch, step]) made.dispose();
  return { recorded, logits };
}

function runAgain(recorded: NativeRecordedStep, { batch, wanted, caches, cacheRows }: DecodingStep): boolean {
  return recorded.run({ ...batch, rows: wanted }, caches, cacheRows);
}

/** Of a body that does not wait. */
function refused(code: GlmErrorCode, message: RegExp, body: () => unknown): Promise<void> {
  return failsWith(code, message, () => new Promise((resolve) => resolve(body())));
}

const steps = suite('recorded steps');

for (const { name, missing, options } of testDevices) {
  if (missing !== undefined) {
    steps.skip(`${name}: ${missing}`);
    continue;
  }
  for (const [kind, position] of kinds) {
    steps(`${name}, ${kind}: the bits of the ops one by one, for other tokens and caches`, async () => {
      const dtype = kind === 'bfloat16' ? 'bfloat16' : 'float32';
      using model = await GLM.create({ ...shape, ...position }, { ...options, dtype, seed: 5 });
      const { network } = model;
      // Two pairs of caches with the same contents: one for either way.
      const pair = () => [
        encode(network, [5, 90], new TestRandom(1)),
        encode(network, [20, 3], new TestRandom(2)),
      ];
      const [plain, again] = [pair(), pair()];
      const counts = [1, 2];
      let made: ReturnType<typeof record> | undefined;
      for (let t = 0; t < 6; t++) {
        const [one, other] = [plain, again].map((sequences) =>
          next(sequences[t % 2]!, counts, new TestRandom(10 + t)),
        );
        if (made === undefined) made = record(network, other!);
        else assert.ok(runAgain(made.recorded, other!), `step ${t}`);
        const found = await made.logits.read();
        assertSameBits(`step ${t}`, found, await logitsOf(network, one!));
        for (const { rows } of [plain[t % 2]!, again[t % 2]!])
          counts.forEach((count, s) => (rows[s]! += count));
      }
      made!.recorded.dispose();
      made!.logits.dispose();
      for (const { caches } of [...plain, ...again]) for (const cache of caches) cache.dispose();
    });
  }
}

const local = testDevices.find(({ missing }) => missing === undefined)!;

steps('what does not fit is not run', async () => {
  using model = await GLM.create({ ...shape, spell_length: 2 }, { ...local.options, seed: 5 });
  const { network } = model;
  const random = new TestRandom(3);
  const sequences = encode(network, [5, 250], random);
  const { recorded, logits } = record(network, next(sequences, [1, 1], random));
  sequences.rows = [6, 251];
  const before = await logits.read();
  const alike = next(sequences, [1, 1], random);
  const prompt = Int32Array.of(shape.vocab_size, 7);
  const others: [string, DecodingStep][] = [
    ['a trained prompt', { ...alike, batch: { ...alike.batch, ids: prompt } }],
    ['more tokens', next(sequences, [2, 1], random)],
    ['other examples', next(sequences, [1, 2], random)],
    ['fewer wanted rows', { ...next(sequences, [1, 1], random), wanted: Int32Array.of(1) }],
    ['fewer sequences', next({ caches: sequences.caches.slice(0, 1), rows: [6] }, [1], random)],
    ['more named rows', next(sequences, [3, 1], random)],
  ];
  for (const [what, step] of others) assert.not.ok(runAgain(recorded, step), what);
  assertSameBits('nothing ran', await logits.read(), before);
  // 256 keys are the most that it was recorded for.
  for (let rows = 251; rows < 256; rows++) {
    sequences.rows = [rows - 245, rows];
    assert.ok(runAgain(recorded, next(sequences, [1, 1], random)), `${rows + 1} keys`);
  }
  sequences.rows = [11, 12];
  assert.ok(runAgain(recorded, next(sequences, [1, 1], random)), 'fewer keys');
  sequences.rows = [11, 256];
  assert.not.ok(runAgain(recorded, next(sequences, [1, 1], random)), '257 keys');
  for (const made of [recorded, logits, ...sequences.caches]) made.dispose();
});

steps('wrong arguments throw, and the recording stays as it is', async () => {
  using model = await GLM.create(shape, { ...local.options, seed: 5 });
  const { network } = model;
  const { device } = network;
  const random = new TestRandom(4);
  const sequences = encode(network, [5], random);
  const step = next(sequences, [1], random);
  const { recorded, logits } = record(network, step);
  sequences.rows = [6];
  const after = next(sequences, [1], random);
  const wrong: [GlmErrorCode, Partial<DecodingStep>][] = [
    ['GLM_INVALID_ARGUMENT', { batch: { ...after.batch, ids: Int32Array.of(shape.vocab_size) } }],
    ['GLM_CONTEXT_LENGTH', { batch: { ...after.batch, positions: Int32Array.of(10_000) } }],
    ['GLM_INVALID_ARGUMENT', { wanted: Int32Array.of(1) }],
    ['GLM_INVALID_ARGUMENT', { caches: [] }],
    ['GLM_INVALID_ARGUMENT', { cacheRows: { ...after.cacheRows, seen: Int32Array.of(30) } }],
  ];
  for (const [code, part] of wrong)
    await refused(code, /expected/, () => runAgain(recorded, { ...after, ...part }));
  assert.ok(runAgain(recorded, after));
  await logits.read();

  const batch = feed(network, step.batch, { rows: step.wanted });
  const cached = device.cacheStep(batch, encode(network, [5], random).caches, step.cacheRows);
  const invalid = (message: RegExp, body: () => void) =>
    refused('GLM_INVALID_ARGUMENT', message, () => device.recordStep(cached, body));
  await invalid(/function/, undefined as never);
  await invalid(/one recording/, () => void device.recordStep(cached, () => {}));
  await invalid(/kernels alone/, () => void rowLogits(network, batch, cached).read());
  await invalid(/kernels alone/, () => void device.tensor([1], 'float32', Float32Array.of(1), false));
  const own = new RangeError('of the body');
  const throws = () => device.recordStep(cached, () => { throw own; }); // prettier-ignore
  assert.throws(throws, (error: unknown) => error === own);
  const encoding = device.cacheStep(batch, [newCache(network)]);
  await refused('GLM_INVALID_ARGUMENT', /encodes/, () => device.recordStep(encoding, () => {}));
  // Later batches are checked against the limits of the recorded one alone.
  const table = device.tensor([shape.max_sequence_length, 4, 2], 'float32', null, false);
  const free = device.batch(
    { ...step.batch, rows: step.wanted },
    { vocabulary: shape.vocab_size, positions: 0, blockPositions: 0 },
  );
  const unchecked = device.cacheStep(free, encode(network, [5], random).caches, step.cacheRows);
  const qkv = device.tensor([1, 3 * shape.hidden_size], 'float32', null, false);
  await refused('GLM_INVALID_ARGUMENT', /rotary positions/, () =>
    device.recordStep(unchecked, () => void device.attentionCached(unchecked, 0, qkv, table)),
  );
  recorded.dispose();
  await refused('GLM_DISPOSED', /recorded step/, () => runAgain(recorded, after));
  assert.throws(() => new (recorded.constructor as new () => unknown)(), /recordStep/);
  logits.dispose();
});

steps('a recording keeps the weights that it reads', async () => {
  using model = await GLM.create(shape, { ...local.options, seed: 5 });
  const { network } = model;
  const sequences = [encode(network, [5], new TestRandom(6)), encode(network, [5], new TestRandom(6))];
  const step = (s: number) => next(sequences[s]!, [1], new TestRandom(7));
  const { recorded, logits } = record(network, step(0));
  const expected = await logitsOf(network, step(1));
  for (const tensor of network.parameters.all()) tensor.dispose();
  poisonFreeMemory(network.device);
  assert.ok(runAgain(recorded, step(0)));
  assertSameBits('logits', await logits.read(), expected);
  for (const made of [recorded, logits]) made.dispose();
});

steps('recordings share memory, and give it back', async () => {
  using model = await GLM.create(shape, { ...local.options, seed: 5 });
  const { network } = model;
  const { device } = network;
  const sequences = encode(network, [5], new TestRandom(6));
  const step = () => next(sequences, [1], new TestRandom(7));
  await logitsOf(network, step());
  const before = device.memory().inUse;
  const made = [record(network, step())];
  const one = device.memory().inUse - before;
  made.push(record(network, step()));
  const two = device.memory().inUse - before;
  assert.ok(two < 1.7 * one, `${one} bytes for one, ${two} for two`);
  for (const { recorded, logits } of made) for (const object of [recorded, logits]) object.dispose();
  assert.is(device.memory().inUse, before);
});

steps.run();
