/** BlankInfilling.batch: what every example must keep to, each option, reproducibility, bad input. */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { type Batch, objectiveCode, sliceBatch } from '../../ts/data/batch.js';
import { BlankInfilling, type BlankInfillingOptions } from '../../ts/data/blank-infilling.js';
import { GlmError } from '../../ts/errors.js';
import { examplesOf, sentenceEnds, special, textOf, vocabulary, words } from '../support/span-example.js';

const common = { special, sentenceEnds, maxLength: 128 };
const make = (options: Partial<BlankInfillingOptions> = {}) => new BlankInfilling({ ...common, ...options });

/** Rows of all lengths; every third with several documents, some begun by [CLS]. */
function manyRows(count: number, longest = 127): Int32Array[] {
  const word = words(count);
  return Array.from({ length: count }, (_, r) => {
    const row = word(1 + ((r * 29) % longest));
    if (r % 3 === 0) {
      for (let i = 10 + (r % 7); i + 1 < row.length; i += 12 + (r % 31)) {
        row[i] = special.eos;
        if (r % 2 === 0) row[i + 1] = special.cls;
      }
    }
    return row;
  });
}
const lossTokens = ({ lossMask }: Batch) => (lossMask as Uint8Array).reduce((sum, loss) => sum + loss, 0);

// ---- every example ------------------------------------------------------------------------------------------------

const examples = suite('examples of blank infilling');

for (const objective of ['blank', 'sentence', 'document'] as const) {
  examples(`${objective}: an example has its text, packed in order, and a loss on Part B alone`, async () => {
    const rows = manyRows(400);
    const batch = await make({ mix: { [objective]: 1 } }).batch(rows, { seed: 3, index: 70 });
    assert.is(batch.contextLengths.length, rows.length);
    assert.equal([...(batch.samples ?? [])], [...rows.keys()].map((r) => 70 + r)); // prettier-ignore
    assert.ok(batch.objectives?.every((code) => code === objectiveCode(objective)));
    assert.is(batch.offsets.at(-1), batch.ids.length);
    for (const [r, row] of rows.entries()) {
      assert.equal(textOf(batch, r), [special.cls, ...row], `row ${r}`);
      const part = (batch.offsets[r] as number) + (batch.contextLengths[r] as number);
      for (let i = batch.offsets[r] as number; i < (batch.offsets[r + 1] as number); i++) {
        const predicted = i >= part && batch.targets?.[i] !== special.cls;
        assert.is(batch.lossMask?.[i], predicted ? 1 : 0, `token ${i}`);
      }
    }
  });
}

examples('blank: spans keep a token between them, and off [CLS] and end-of-text', async () => {
  const rows = manyRows(600);
  const batch = await make({ maskRatio: 0.4 }).batch(rows, { seed: 1, index: 0 });
  for (const [r, { spans }] of examplesOf(batch).entries()) {
    const text = [special.cls, ...(rows[r] as Int32Array)];
    const sorted = [...spans].sort((a, b) => a.begin - b.begin);
    for (const [i, { begin, length }] of sorted.entries()) {
      const end = begin + length;
      assert.not.ok(text.slice(begin, end).some((id) => id === special.cls || id === special.eos));
      const next = sorted[i + 1]?.begin ?? text.length;
      assert.ok(end < next, `span ${i} of row ${r} ends at ${end}, the next begins at ${next}`);
    }
  }
});

examples('blank: every row with two tokens has a loss; no row is dropped', async () => {
  const rows = Array.from({ length: 12 }, (_, i) => words(i)(i + 1));
  for (let seed = 0; seed < 20; seed++) {
    const batch = await make().batch(rows, { seed, index: 0 });
    const masked = examplesOf(batch).map(({ spans }) => spans.length);
    assert.is(masked[0], 0); // [CLS] and the last token stay
    assert.ok(masked.slice(1).every((count) => count > 0));
  }
});

examples('blank: a window of many short documents is masked like any other', async () => {
  // The original drops nearly all such samples: the longest document cannot take what the others leave.
  const word = words(5);
  const window = Int32Array.from(Array.from({ length: 10 }, () => [...word(11), special.eos]).flat());
  const batch = await make().batch(Array<Int32Array>(300).fill(window), { seed: 8, index: 0 });
  const masked = examplesOf(batch).map(({ spans }) => spans.reduce((sum, { length }) => sum + length, 0));
  assert.ok(
    Math.min(...masked) >= 5 && Math.max(...masked) <= 18,
    `${Math.min(...masked)} to ${Math.max(...masked)}`,
  );
});

examples('sentence: spans are whole sentences, of one document each', async () => {
  const rows = manyRows(300);
  const batch = await make({ mix: { sentence: 1 } }).batch(rows, { seed: 2, index: 0 });
  for (const [r, { spans }] of examplesOf(batch).entries()) {
    const text = [special.cls, ...(rows[r] as Int32Array)];
    const ends = (id: number | undefined) => id === undefined || id === special.eos || sentenceEnds[id] === 1;
    for (const { begin, length } of spans) {
      assert.ok(text[begin - 1] === special.cls || ends(text[begin - 1]), `begin of a span of row ${r}`);
      const last = text[begin + length - 1] as number;
      assert.ok(sentenceEnds[last] === 1 || ends(text[begin + length]), `end of a span of row ${r}`);
      const inner = text.slice(begin, begin + length - 1);
      assert.not.ok(inner.some((id) => sentenceEnds[id] === 1 || id === special.eos || id === special.cls));
    }
    assert.is(spans.length > 0, text.some((id) => id !== special.cls && id !== special.eos)); // prettier-ignore
  }
});

examples('document: a window of several documents always has its end generated', async () => {
  const row = Int32Array.of(30, 31, 32, special.eos, 33, 34, 35, 36, 37, 38, special.eos);
  const options = { mix: { document: 1 }, suffixProbability: 0 };
  const batch = await make(options).batch(Array<Int32Array>(50).fill(row), { seed: 1, index: 0 });
  for (const { spans } of examplesOf(batch)) {
    assert.is(spans.length, 1);
    assert.is((spans[0]?.begin ?? 0) + (spans[0]?.length ?? 0), row.length + 1);
  }
});

examples('[CLS] in front of a row changes nothing', async () => {
  const rows = manyRows(50, 100);
  const begun = rows.map((row) => Int32Array.of(special.cls, ...row));
  const options = { seed: 4, index: 9 };
  assert.equal(await make().batch(begun, options), await make().batch(rows, options));
});

examples.run();

// ---- options ------------------------------------------------------------------------------------------------------

const options = suite('options of blank infilling');

options('masks: [sMASK] and [gMASK] where they exist, [MASK] with taskMasks: false', async () => {
  const rows = manyRows(100);
  const masksIn = async (changed: Partial<BlankInfillingOptions>) => {
    const batch = await make(changed).batch(rows, { seed: 1, index: 0 });
    return [special.mask, special.smask, special.gmask].filter((id) => batch.ids.includes(id));
  };
  assert.equal(await masksIn({ mix: { blank: 1 } }), [special.mask]);
  assert.equal(await masksIn({ mix: { sentence: 1 } }), [special.smask]);
  assert.equal(await masksIn({ mix: { document: 1 } }), [special.gmask]);
  assert.equal(await masksIn({ mix: { sentence: 1, document: 1 }, taskMasks: false }), [special.mask]);
  const few: Partial<typeof special> = { ...special };
  delete few.smask;
  delete few.gmask;
  assert.equal(await masksIn({ mix: { sentence: 1, document: 1 }, special: few }), [special.mask]);
});

options('shuffle: false leaves Part B in the order of the text', async () => {
  const rows = manyRows(100);
  const inOrder = (batch: Batch) =>
    examplesOf(batch).every(({ spans }) =>
      spans.every(({ begin }, i) => begin >= (spans[i - 1]?.begin ?? 0)),
    );
  assert.ok(inOrder(await make({ shuffle: false }).batch(rows, { seed: 1, index: 0 })));
  assert.not.ok(inOrder(await make().batch(rows, { seed: 1, index: 0 })));
});

options('blockPositions: false puts 1 in all of Part B', async () => {
  const mix = { blank: 1, document: 1, sentence: 1 };
  const batch = await make({ blockPositions: false, mix }).batch(manyRows(100), { seed: 1, index: 0 });
  for (const [e, context] of batch.contextLengths.entries()) {
    const begin = batch.offsets[e] as number;
    for (let i = begin; i < (batch.offsets[e + 1] as number); i++)
      assert.is(batch.blockPositions[i], i - begin < context ? 0 : 1);
  }
});

options('randomPosition moves Part A and Part B together, up to maxLength - 1', async () => {
  const rows = manyRows(300);
  const moved = await make({ randomPosition: true }).batch(rows, { seed: 1, index: 0 });
  for (const [r, { position, contextLength }] of examplesOf(moved).entries()) {
    assert.ok(position + contextLength <= 128);
    assert.equal(textOf(moved, r), [special.cls, ...(rows[r] as Int32Array)]);
  }
  assert.ok(examplesOf(moved).some(({ position }) => position > 50));
});

options('sentinels: a mask and a start token for each span, Part B at position maxLength', async () => {
  const count = 40;
  const mask = Array.from({ length: count }, (_, i) => vocabulary - 100 + i);
  const sop = mask.map((id) => id + count);
  const rows = manyRows(100).map((row) => row.map((id) => Math.min(id, vocabulary - 200)));
  const batch = await make({ sentinels: { mask, sop } }).batch(rows, { seed: 1, index: 0 });
  const allMasks = [special.mask, ...mask];
  const allSops = [special.sop, ...sop];
  for (const [e, context] of batch.contextLengths.entries()) {
    const begin = batch.offsets[e] as number;
    const ids = batch.ids.subarray(begin, batch.offsets[e + 1]);
    const partB = ids.subarray(context);
    const masks = [...ids.subarray(0, context)].filter((id) => allMasks.includes(id));
    const starts = [...partB].filter((id) => allSops.includes(id));
    assert.equal(starts, allSops.slice(0, starts.length));
    assert.equal(masks.sort(), allMasks.slice(0, starts.length).sort());
    assert.ok(batch.positions.subarray(begin + context, batch.offsets[e + 1]).every((p) => p === 128));
  }
  // Fewer sentinels than spans: no example has more spans than there are names.
  const few = await make({ sentinels: { mask: mask.slice(0, 2), sop: sop.slice(0, 2) } }).batch(rows, { seed: 1, index: 0 }); // prettier-ignore
  assert.ok(few.contextLengths.every((_, e) => {
    const ids = few.ids.subarray(few.offsets[e], few.offsets[e + 1]);
    return ids.filter((id) => allSops.includes(id)).length <= 3;
  })); // prettier-ignore
  assert.ok(few.ids.includes(sop[1] as number));
});

options('maskedLanguageModel: tokens masked in place, nothing behind them', async () => {
  const rows = manyRows(200);
  const batch = await make({ maskedLanguageModel: true }).batch(rows, { seed: 1, index: 0 });
  for (const [r, row] of rows.entries()) {
    const text = [special.cls, ...row];
    const begin = batch.offsets[r] as number;
    const end = batch.offsets[r + 1] as number;
    assert.is(end - begin, text.length);
    assert.is(batch.contextLengths[r], text.length);
    for (const [i, id] of text.entries()) {
      const masked = batch.lossMask?.[begin + i] === 1;
      assert.is(batch.ids[begin + i], masked ? special.mask : id);
      if (masked) assert.is(batch.targets?.[begin + i], id);
      assert.is(batch.positions[begin + i], i);
      assert.is(batch.blockPositions[begin + i], 0);
    }
  }
  assert.ok(lossTokens(batch) > 0.1 * batch.ids.length);
});

options('shortSequenceProbability: parts begin and end with sentences where they can', async () => {
  const rows = manyRows(200).map((row) => row.map((id) => (id < 20 ? 25 : id)));
  const batch = await make({ shortSequenceProbability: 1, mix: { sentence: 1 } }).batch(rows, {
    seed: 6,
    index: 0,
  });
  assert.ok(batch.contextLengths.length > 200);
  const parts = new Map<number, number>();
  for (const [e, s] of (batch.samples as Int32Array).entries()) {
    parts.set(s, (parts.get(s) ?? 0) + 1);
    const text = textOf(batch, e).slice(1);
    const row = [...(rows[s] as Int32Array)];
    const at = row.findIndex((_, i) => text.every((id, j) => row[i + j] === id));
    assert.ok(at === 0 || (at > 0 && sentenceEnds[row[at - 1] as number] === 1), `part ${e} begins at ${at}`);
  }
  assert.is(parts.size, 200);
});

options('contextMaskRatio hides no [CLS] and no blank', async () => {
  const rows = manyRows(200);
  const changed = { contextMaskRatio: 1, contextMaskRange: 200 };
  const batch = await make(changed).batch(rows, { seed: 1, index: 0 });
  const plain = await make().batch(rows, { seed: 1, index: 0 });
  assert.equal(batch.contextLengths, plain.contextLengths);
  for (const [e, context] of batch.contextLengths.entries()) {
    const begin = batch.offsets[e] as number;
    const spans = examplesOf(sliceBatch(plain, e, e + 1))[0]?.spans.length ?? 0;
    for (let i = 0; i < context; i++) {
      const kept = i === 0 || plain.ids[begin + i] === special.mask || spans === 0;
      assert.is(batch.ids[begin + i], kept ? plain.ids[begin + i] : special.dblock);
    }
  }
});

options('a tokenizer stands for special, sentenceEnds and the vocabulary', async () => {
  const tokenizer = { special, sentenceEnds, vocabSize: vocabulary };
  const rows = manyRows(20);
  const made = new BlankInfilling({ tokenizer, maxLength: 128 });
  assert.equal(
    await made.batch(rows, { seed: 1, index: 0 }),
    await make().batch(rows, { seed: 1, index: 0 }),
  );
});

options.run();

// ---- reproducibility ----------------------------------------------------------------------------------------------

const reproducible = suite('blank infilling is a function of seed and sample');
const everything: Partial<BlankInfillingOptions> = {
  mix: { blank: 2, sentence: 1, document: 1 },
  shortSequenceProbability: 0.2,
  singleSpanProbability: 0.1,
  spanMaskProbability: 0.1,
  contextMaskRatio: 0.05,
  randomPosition: true,
};

reproducible('the same for any number of threads', async () => {
  const rows = manyRows(500);
  const one = await make(everything).batch(rows, { seed: 11, index: 40 });
  for (const threads of [2, 3])
    assert.equal(await make({ ...everything, threads }).batch(rows, { seed: 11, index: 40 }), one);
});

reproducible('sample k alone is sample k of any batch', async () => {
  const rows = manyRows(60);
  const objective = make(everything);
  const batch = await objective.batch(rows, { seed: 5, index: 1000 });
  let example = 0;
  for (const [r, row] of rows.entries()) {
    const alone = await objective.batch([row], { seed: 5, index: 1000 + r });
    const parts = alone.contextLengths.length;
    assert.equal(sliceBatch(batch, example, example + parts), alone, `row ${r}`);
    example += parts;
  }
  assert.is(example, batch.contextLengths.length);
});

reproducible('another seed or sample draws something else', async () => {
  const rows = [words(1)(100)];
  const batch = await make().batch(rows, { seed: 1, index: 0 });
  const { ids } = batch;
  assert.not.equal((await make().batch(rows, { seed: 2, index: 0 })).ids, ids);
  assert.not.equal((await make().batch(rows, { seed: 1, index: 1 })).ids, ids);
  assert.not.equal((await make().batch(rows, { seed: 2 ** 40 + 1, index: 0 })).ids, ids);
});

reproducible('many batches at once', async () => {
  const objective = make(everything);
  const rows = manyRows(30);
  const batches = await Promise.all(
    Array.from({ length: 40 }, (_, i) => objective.batch(rows, { seed: 1, index: (i % 4) * 30 })),
  );
  for (const [i, batch] of batches.entries()) assert.equal(batch, batches[i % 4]);
});

reproducible(
  'the same on every instruction set, and as in earlier versions: a run can be resumed',
  async () => {
    const script = path.join(path.dirname(fileURLToPath(import.meta.url)), '../support/span-digest.ts');
    const digests = await Promise.all(
      ['generic', ''].map(async (set) => {
        const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
          env: { ...process.env, GLM_INSTRUCTION_SET: set },
        });
        return stdout.trim();
      }),
    );
    assert.is(digests[0], digests[1]);
    assert.is(digests[0], '6927e95730ad3ae391d940ba9d2c7c43b1d7c2efa89d94f08dd01be1970ecb50');
  },
);

reproducible.run();

// ---- bad input ----------------------------------------------------------------------------------------------------

const refused = suite('blank infilling refuses');

async function assertRefused(message: RegExp, call: () => unknown): Promise<void> {
  try {
    await call();
  } catch (error) {
    assert.instance(error, GlmError, String(error));
    assert.is((error as GlmError).code, 'GLM_INVALID_ARGUMENT');
    assert.match((error as GlmError).message, message);
    return;
  }
  assert.unreachable(`nothing refused for ${message.source}`);
}

refused('options that are unknown, out of range or contradict each other', async () => {
  const cases: [RegExp, Record<string, unknown>][] = [
    [/found maxlength/, { maxlength: 3 }],
    [/found blanks/, { mix: { blanks: 1 } }],
    [/at least one objective/, { mix: { blank: 0 } }],
    [/mix.blank/, { mix: { blank: -1, document: 2 } }],
    [/mix.sentence/, { mix: { sentence: Number.NaN } }],
    [/maxLength/, { maxLength: 2 }],
    [/maxLength/, { maxLength: 12.5 }],
    [/maxLength/, { maxLength: '512' }],
    [/maxLength/, { maxLength: 2 ** 21 }],
    [/maskRatio/, { maskRatio: 0 }],
    [/maskRatio/, { maskRatio: 15 }],
    [/sentenceRatio/, { sentenceRatio: 1.01 }],
    [/minDocumentRatio/, { minDocumentRatio: -0.5 }],
    [/averageSpanLength/, { averageSpanLength: 0 }],
    [/averageSpanLength/, { averageSpanLength: Number.POSITIVE_INFINITY }],
    [/maxSpanLength/, { maxSpanLength: 0 }],
    [/suffixProbability/, { suffixProbability: 2 }],
    [/singleSpanProbability/, { singleSpanProbability: Number.NaN }],
    [/shortSequenceProbability/, { shortSequenceProbability: -0.1 }],
    [/at least 34/, { shortSequenceProbability: 0.5, maxLength: 33 }],
    [/sentenceEnds for short/, { shortSequenceProbability: 0.5, sentenceEnds: undefined }],
    [/sentenceEnds for the sentence/, { mix: { sentence: 1 }, sentenceEnds: undefined }],
    [/contextMaskRange/, { contextMaskRange: 0 }],
    [/dblock/, { spanMaskProbability: 0.1, special: { ...special, dblock: undefined } }],
    [/gmask/, { mix: { document: 1 }, taskMasks: true, special: { ...special, gmask: undefined } }],
    [/id of eop/, { special: { ...special, eop: undefined } }],
    [/special.eop/, { special: { ...special, eop: vocabulary } }],
    [/same length/, { sentinels: { mask: [20], sop: [] } }],
    [/sentinel/, { sentinels: { mask: [20], sop: [vocabulary] } }],
    [/blank: 1/, { maskedLanguageModel: true, mix: { blank: 1, document: 1 } }],
    [/no Part B/, { maskedLanguageModel: true, randomPosition: true }],
    [/found both/, { tokenizer: { special, sentenceEnds, vocabSize: vocabulary } }],
    [/found neither/, { special: undefined }],
    [/sentenceEnds/, { sentenceEnds: [1, 0] }],
    [/shuffle/, { shuffle: 'yes' }],
    [/threads/, { threads: 0 }],
  ];
  for (const [message, changed] of cases) await assertRefused(message, () => make(changed));
  await assertRefused(/options of BlankInfilling/, () => new BlankInfilling(undefined as never));
});

refused('rows and sample numbers that cannot be', async () => {
  const objective = make();
  const draw = { seed: 1, index: 0 };
  const row = Int32Array.of(20, 21, 22);
  await assertRefused(/at least one row/, () => objective.batch([], draw));
  await assertRefused(/row 1 to have at least one token/, () =>
    objective.batch([row, new Int32Array(0)], draw),
  );
  await assertRefused(/row 0 to have at least one token/, () =>
    objective.batch([Int32Array.of(special.cls)], draw),
  );
  await assertRefused(/row 1 to have at most 128/, () => objective.batch([row, words(1)(128)], draw));
  await assertRefused(/found 1000 in row 1 \(token 2/, () =>
    objective.batch([row, Int32Array.of(20, 21, 1000)], draw),
  );
  await assertRefused(/found -7 in row 0/, () => objective.batch([Int32Array.of(20, -7)], draw));
  await assertRefused(/rows\[1\] to be an Int32Array/, () =>
    objective.batch([row, [1, 2] as unknown as Int32Array], draw),
  );
  await assertRefused(/array of Int32Array/, () => objective.batch(row as unknown as Int32Array[], draw));
  await assertRefused(/seed/, () => objective.batch([row], { index: 0 } as typeof draw));
  await assertRefused(/seed/, () => objective.batch([row], { seed: -1, index: 0 }));
  await assertRefused(/index/, () => objective.batch([row], { seed: 1, index: 0.5 }));
  await assertRefused(/index/, () => objective.batch([row], { seed: 1 } as typeof draw));
  await assertRefused(/sample numbers/, () => objective.batch([row, row], { seed: 1, index: 2 ** 31 - 1 }));
  await assertRefused(/seed/, () => objective.batch([row], undefined as unknown as typeof draw));
  const last = await objective.batch([row], { seed: 2 ** 53, index: 2 ** 31 - 1 });
  assert.is(last.samples?.[0], 2 ** 31 - 1);
});

refused.run();
