/** The rows that training gets: where they begin and end, what fills them, what an epoch holds. */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { Corpus, type CorpusOptions } from '../../ts/data/corpus.js';
import type { Tokenizer } from '../../ts/text/tokenizer.js';
import { withFolder } from '../support/folder.js';
import { TestRandom } from '../support/random.js';
import { makeTokenizer } from './corpus-fixtures.js';

const maxLength = 33;
const length = maxLength - 1;
/** A letter for each document, and a sentence's end after each tenth or so: documents and places are told apart. */
const none: Partial<CorpusOptions> = { sentenceStart: false, sentenceEnd: false };

interface Setting {
  corpus: Corpus;
  /** [document][token], each with its end-of-text. */
  documents: number[][];
  tokenizer: Tokenizer;
}

/** A corpus of made-up documents of these lengths in tokens, without the end-of-text. */
async function withDocuments(
  lengths: readonly number[],
  options: Partial<CorpusOptions>,
  use: (setting: Setting) => Promise<void>,
): Promise<void> {
  await withFolder(async (dir) => {
    const tokenizer = await makeTokenizer(path.join(dir, 'tokenizer'));
    const random = new TestRandom(1);
    // Capital letters and digits are a token each.
    const characters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789....'];
    const texts = lengths.map((count) =>
      Array.from({ length: count }, () => characters[Math.floor(random.uniform() * characters.length)]).join(
        '',
      ),
    );
    await writeFile(path.join(dir, 'a.txt'), texts.join('\n'));
    await using corpus = await Corpus.open(path.join(dir, 'a.txt'), {
      tokenizer,
      documents: 'line',
      workers: 1,
      ...options,
    });
    const ids = await tokenizer.encodeBatch(texts);
    const documents = ids.map((row) => [...row, tokenizer.special.eos]);
    assert.equal(
      documents.map((tokens) => tokens.length - 1),
      lengths,
    );
    await use({ corpus, documents, tokenizer });
  });
}

/** Where the tokens stand in one of the documents, from a place on. */
function placesIn(document: readonly number[], tokens: readonly number[]): number[] {
  const places: number[] = [];
  for (let at = 0; at + tokens.length <= document.length; at++) {
    if (tokens.every((token, i) => token === document[at + i])) places.push(at);
  }
  return places;
}

/** The documents that a row is made of: what comes before the first [CLS], and what comes behind each. */
function piecesOf(row: Int32Array, cls: number): number[][] {
  const pieces: number[][] = [[]];
  for (const token of row) {
    if (token === cls) pieces.push([]);
    else pieces.at(-1)!.push(token);
  }
  return pieces;
}

/** `count` lengths from `least` to `most`. */
function lengthsOf(count: number, least: number, most: number): number[] {
  const random = new TestRandom(2);
  return Array.from({ length: count }, () => least + Math.floor(random.uniform() * (most - least + 1)));
}

const windows = suite('corpus: windows');

windows('a long document is cut into parts that do not overlap, in another place in each epoch', () =>
  withDocuments([1000, 500, 2000], none, async ({ corpus, documents }) => {
    const count = corpus.windows(maxLength);
    assert.is(count, Math.ceil(corpus.tokens / length));
    const begins = new Set<string>();
    for (let epoch = 0; epoch < 6; epoch++) {
      const rows = await corpus.rows(epoch * count, count, { maxLength, seed: 5 });
      const seen = documents.map((document) => new Uint8Array(document.length));
      for (const row of rows) {
        assert.is(row.length, length);
        const found = documents.flatMap((document, d) =>
          placesIn(document, [...row]).map((place) => [d, place] as const),
        );
        assert.is(found.length, 1);
        const [d, place] = found[0]!;
        for (let i = place; i < place + length; i++) seen[d]![i]!++;
      }
      seen.forEach((times, d) => {
        const once = times.filter((n) => n === 1).length;
        const more = times.filter((n) => n > 1).length;
        // As many windows as fit: either none twice, or all at least once.
        assert.ok(
          more === 0 || once + more === times.length,
          `document ${d}: ${once} once, ${more} more often`,
        );
        assert.ok(times.length - once - more < length, `document ${d}: ${once} of ${times.length}`);
        begins.add(`${d} ${times.join('')}`);
      });
    }
    assert.ok(begins.size > 9, `${begins.size} of 18`);
  }),
);

windows('short documents are whole, and others fill the window up, each behind a [CLS]', () =>
  withDocuments(lengthsOf(40, 1, 20), none, async ({ corpus, documents, tokenizer }) => {
    const { cls, eos } = tokenizer.special;
    const known = new Set(documents.map((document) => document.join()));
    const firsts = new Set<string>();
    for (const row of await corpus.rows(0, 1500, { maxLength, seed: 1 })) {
      const pieces = piecesOf(row, cls);
      firsts.add(pieces[0]!.join());
      const last = pieces.pop()!;
      for (const piece of pieces) assert.ok(known.has(piece.join()));
      assert.ok(documents.some((document) => last.every((token, i) => token === document[i])));
      // The window is full, but for a place that a [CLS] alone would take.
      assert.ok(row.length === length || (row.length === length - 1 && last.at(-1) === eos), `${row.length}`);
    }
    // 1500 windows are 109 epochs: every document comes first in some.
    assert.is(firsts.size, known.size);
  }),
);

windows('documents that fill up are chosen by their lengths', () =>
  withDocuments([3, 5, 7, 9, 11, 13, 15, 17], none, async ({ corpus, documents, tokenizer }) => {
    const counts = new Float64Array(documents.length);
    const rows = await corpus.rows(0, 4000, { maxLength, seed: 2 });
    for (const row of rows) {
      // The second piece: whatever was first, there was room for a whole one.
      const second = piecesOf(row, tokenizer.special.cls)[1];
      if (second === undefined) continue;
      const which = documents.findIndex((document) => second.every((token, i) => token === document[i]));
      counts[which]!++;
    }
    const drawn = counts.reduce((sum, n) => sum + n);
    const statistic = counts.reduce((sum, found, d) => {
      const expected = (drawn * documents[d]!.length) / corpus.tokens;
      return sum + (found - expected) ** 2 / expected;
    }, 0);
    // χ² with 7 degrees of freedom: above 29.9 with probability 0.0001. The seed is fixed.
    assert.ok(statistic < 29.9, `χ² is ${statistic}: ${counts.join(', ')}`);
  }),
);

windows('windows begin and end with sentences, and do not lose more than half for it', () =>
  withDocuments([3000, 40, 12, 1500, 64], {}, async ({ corpus, documents, tokenizer }) => {
    const ends = (token: number | undefined): boolean =>
      token !== undefined && tokenizer.sentenceEnds[token] === 1;
    let [inside, atSentences, ended, cut] = [0, 0, 0, 0];
    for (const row of await corpus.rows(0, 500, { maxLength, seed: 3 })) {
      const pieces = piecesOf(row, tokenizer.special.cls);
      // Half, counting the [CLS] in front.
      assert.ok(row.length <= length && row.length + 1 >= Math.floor(maxLength / 2), `${row.length}`);
      const found = documents.flatMap((document) =>
        placesIn(document, pieces[0]!).map((place) => ({ document, place })),
      );
      assert.is(found.length, 1);
      const { document, place } = found[0]!;
      if (place > 0) {
        inside++;
        if (ends(document[place - 1])) atSentences++;
      }
      if (place + row.length < document.length && pieces.length === 1) {
        cut++;
        if (ends(row.at(-1))) ended++;
      }
    }
    // A sentence has ten tokens: half a window without an end is rare (0.9^16 = 0.19).
    assert.ok(inside > 400 && atSentences / inside > 0.7, `${atSentences} of ${inside}`);
    assert.ok(cut > 400 && ended / cut > 0.7, `${ended} of ${cut}`);
  }),
);

windows('a window goes to the sentence before or behind its place alike', () =>
  withDocuments([6000], { sentenceEnd: false }, async ({ corpus, documents, tokenizer }) => {
    await using plain = await Corpus.open(corpus.folder, { tokenizer, ...none });
    const document = documents[0]!;
    const placesOf = async (from: Corpus): Promise<number[]> => {
      const rows = await from.rows(0, 400, { maxLength, seed: 6 });
      return rows.map((row) => placesIn(document, [...row])[0]!);
    };
    const [moved, places] = [await placesOf(corpus), await placesOf(plain)];
    const ends = (place: number): boolean => tokenizer.sentenceEnds[document[place - 1]!] === 1;
    let [left, right] = [0, 0];
    moved.forEach((to, i) => {
      const from = places[i]!;
      if (to === from) return;
      if (to < from) left++;
      else right++;
      // No sentence begins between.
      for (let at = Math.min(to, from) + 1; at < Math.max(to, from); at++) assert.not.ok(ends(at));
      assert.ok(to === 0 || ends(to));
      assert.not.ok(ends(from));
    });
    // Each a little less than half of 400: five deviations of ten.
    assert.ok(left > 130 && right > 130, `${left} to the left, ${right} to the right`);
  }),
);

windows('nothing follows a document that was cut off', () =>
  withDocuments(lengthsOf(30, 8, 28), {}, async ({ corpus, tokenizer }) => {
    const { cls, eos } = tokenizer.special;
    let short = 0;
    for (const row of await corpus.rows(0, 300, { maxLength, seed: 7 })) {
      const pieces = piecesOf(row, cls);
      for (const piece of pieces.slice(0, -1)) assert.is(piece.at(-1), eos);
      if (row.length < length - 1) short++;
    }
    assert.ok(short > 50, `${short} windows end with a sentence`);
  }),
);

windows('windows of one document only are as long as it is', () =>
  withDocuments(
    [5, 100, 31, 32, 7],
    { ...none, oneDocument: true },
    async ({ corpus, documents, tokenizer }) => {
      const lengths = new Set<number>();
      for (const row of await corpus.rows(0, 100, { maxLength, seed: 4 })) {
        assert.not.ok(row.includes(tokenizer.special.cls));
        assert.ok(documents.some((document) => placesIn(document, [...row]).length === 1));
        lengths.add(row.length);
      }
      assert.equal([...lengths].filter((n) => n !== 6 && n !== 8).sort(), [32]);
    },
  ),
);

windows.run();

const rows = suite('corpus: rows');

rows('sample s is the same in any batch, and another seed is another order', () =>
  withDocuments([700, 20, 30, 900, 5], {}, async ({ corpus }) => {
    const count = corpus.windows(maxLength);
    const texts = (all: readonly Int32Array[]): string[] => all.map((row) => row.join());
    const options = { maxLength, seed: 9 };
    const together = texts(await corpus.rows(0, 3 * count, options));
    const apart: string[] = [];
    for (let begin = 0; begin < 3 * count; begin += 7) {
      apart.push(...texts(await corpus.rows(begin, Math.min(7, 3 * count - begin), options)));
    }
    assert.equal(apart, together);
    assert.equal(texts(await corpus.rows(count + 3, 1, options)), [together[count + 3]]);
    const epochs = [0, 1, 2].map((epoch) => together.slice(epoch * count, (epoch + 1) * count).join(' '));
    assert.is(new Set(epochs).size, 3);
    assert.not.equal(texts(await corpus.rows(0, count, { maxLength, seed: 10 })), together.slice(0, count));
    assert.equal(await corpus.rows(5, 0, options), []);
  }),
);

rows('without shuffling, windows come in the order of the files', () =>
  withDocuments([1000, 1000], none, async ({ corpus, documents }) => {
    const found = await corpus.rows(0, corpus.windows(maxLength), { maxLength, seed: 0, shuffle: false });
    const places = found.map((row) => {
      const d = documents.findIndex((document) => placesIn(document, [...row]).length > 0);
      return d * 10_000 + placesIn(documents[d]!, [...row])[0]!;
    });
    assert.equal(
      places,
      [...places].sort((a, b) => a - b),
    );
  }),
);

rows('a corpus that is smaller than a window repeats itself', () =>
  withDocuments([4], none, async ({ corpus, documents, tokenizer }) => {
    assert.is(corpus.windows(maxLength), 1);
    const [row] = await corpus.rows(12, 1, { maxLength, seed: 0 });
    const one = [...documents[0]!, tokenizer.special.cls];
    assert.equal(
      [...row!],
      Array.from({ length }, (_, i) => one[i % one.length]),
    );
  }),
);

rows('the event loop goes on while rows are read', () =>
  withDocuments(lengthsOf(3000, 5, 60), {}, async ({ corpus }) => {
    await corpus.rows(0, 100, { maxLength, seed: 0 });
    let turns = 0;
    let reading = true;
    const turn = (): void => {
      turns++;
      if (reading) setImmediate(turn);
    };
    setImmediate(turn);
    await corpus.rows(0, 2000, { maxLength, seed: 1 });
    reading = false;
    assert.ok(turns > 100, `${turns} turns`);
  }),
);

rows.run();
