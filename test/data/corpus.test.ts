/** A corpus from its files to its tokens: opened, opened again, changed, split, aborted, in use by someone else. */

import { appendFile, cp, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { Corpus, type CorpusOptions, type TokenizeProgress } from '../../ts/data/corpus.js';
import { checksumOf } from '../../ts/data/corpus/corpus-writer.js';
import { FolderLock } from '../../ts/io/folder-lock.js';
import { Tokenizer } from '../../ts/text/tokenizer.js';
import { withFolder } from '../support/folder.js';
import { TestRandom } from '../support/random.js';
import { makeTexts, makeTokenizer, tokenizeInto } from './corpus-fixtures.js';

/** Two text files, one packed, and a file of JSON lines in a folder. */
async function writeFiles(dir: string): Promise<string[]> {
  const random = new TestRandom(1);
  const [first, second, third] = [
    makeTexts(9, 100, random),
    makeTexts(7, 200, random),
    makeTexts(8, 50, random),
  ];
  await mkdir(path.join(dir, 'all/texts/deeper'), { recursive: true });
  await writeFile(path.join(dir, 'all/texts/a.txt'), first.join('\n\n'));
  await writeFile(path.join(dir, 'all/texts/b.txt.gz'), gzipSync(second.join('\n \n')));
  await writeFile(
    path.join(dir, 'all/texts/deeper/c.jsonl'),
    third.map((text) => JSON.stringify({ text })).join('\n'),
  );
  await writeFile(path.join(dir, 'all/texts/notes.md'), 'no source');
  return [...first, ...second, ...third];
}

/** Every document's tokens, found through the index of one-document windows. */
async function documentsOf(corpus: Corpus): Promise<string[]> {
  const bytes = await readFile(path.join(corpus.folder, 'documents.bin'));
  const ends = new Float64Array(new Uint8Array(bytes).buffer);
  const tokens = new Uint16Array(
    new Uint8Array(await readFile(path.join(corpus.folder, 'tokens.bin'))).buffer,
  );
  return Array.from({ length: corpus.documents }, (_, d) =>
    tokens.subarray(ends[2 * d + 1], ends[2 * d + 3]).join(),
  );
}

async function expectedOf(texts: readonly string[], tokenizer: Tokenizer): Promise<string[]> {
  const ids = await tokenizer.encodeBatch(texts);
  return ids.map((row) => [...row, tokenizer.special.eos].join());
}

async function withCorpus(
  use: (setting: {
    dir: string;
    texts: string[];
    tokenizer: Tokenizer;
    options: CorpusOptions;
  }) => Promise<void>,
): Promise<void> {
  await withFolder(async (dir) => {
    const texts = await writeFiles(dir);
    const tokenizer = await makeTokenizer(path.join(dir, 'tokenizer'));
    await use({ dir, texts, tokenizer, options: { tokenizer, workers: 1 } });
  });
}

async function errorOf(work: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error');
}

const opening = suite('corpus: opening');

opening('holds every document, in order, each with its end-of-text; folders, globs and lists alike', () =>
  withCorpus(async ({ dir, texts, tokenizer, options }) => {
    const expected = await expectedOf(texts, tokenizer);
    const folder = path.join(dir, 'all/texts');
    const lists = [
      folder,
      [path.join(folder, 'a.txt'), `${folder}/b.*`, path.join(folder, 'deeper')],
      `${folder}/**/*.{txt,gz,jsonl}`,
    ];
    for (const [i, paths] of lists.entries()) {
      await using corpus = await Corpus.open(paths, { ...options, cacheDir: path.join(dir, `cache-${i}`) });
      assert.equal(await documentsOf(corpus), expected);
      assert.is(corpus.documents, texts.length);
      assert.is(
        corpus.tokens,
        expected.reduce((sum, ids) => sum + ids.split(',').length, 0),
      );
    }
  }),
);

opening('the cache lies beside the path, one folder per tokenizer and rule, and is no source itself', () =>
  withCorpus(async ({ dir, options }) => {
    const folder = path.join(dir, 'all/texts');
    const [one, lines] = [
      await Corpus.open(folder, options),
      await Corpus.open(folder, { ...options, documents: 'line' }),
    ];
    await one.close();
    await lines.close();
    assert.ok(one.folder.startsWith(`${folder}.glm-corpus/`), one.folder);
    assert.not.equal(one.folder, lines.folder);
    assert.not.equal(one.fingerprint, lines.fingerprint);
    assert.equal((await readdir(one.folder)).sort(), ['corpus.json', 'documents.bin', 'tokens.bin']);
    const inside = await Corpus.open(path.join(dir, 'all'), options);
    await inside.close();
    assert.is(inside.tokens, one.tokens);
  }),
);

opening('a second time nothing is tokenized, whatever is done to the cache as a whole', () =>
  withCorpus(async ({ dir, tokenizer, options }) => {
    const folder = path.join(dir, 'all/texts');
    const cacheDir = path.join(dir, 'cache');
    let calls = 0;
    const counting = { ...options, cacheDir, onProgress: () => calls++ };
    const first = await Corpus.open(folder, counting);
    await first.close();
    assert.is(calls, 3);
    const second = await Corpus.open(folder, counting);
    await second.close();
    assert.is(calls, 3);
    assert.is(second.fingerprint, first.fingerprint);
    await rename(cacheDir, `${cacheDir}-2`);
    await rm(folder, { recursive: true });
    const alone = await Corpus.open(`${cacheDir}-2`, { tokenizer });
    await alone.close();
    assert.is(alone.fingerprint, first.fingerprint);
    await writeFile(path.join(dir, 'tokenizer/merges.txt'), '#version: 0.2\nt h\n');
    const other = await Tokenizer.load(path.join(dir, 'tokenizer'));
    assert.is((await errorOf(Corpus.open(`${cacheDir}-2`, { tokenizer: other }))).code, 'GLM_TOKENIZER');
  }),
);

opening('a changed file, a new file and another tokenizer are noticed', () =>
  withCorpus(async ({ dir, texts, tokenizer, options }) => {
    const folder = path.join(dir, 'all/texts');
    const fixed = { ...options, cacheDir: path.join(dir, 'cache') };
    const fingerprints = new Set<string>();
    const open = async (expected: readonly string[], files: number, using = tokenizer): Promise<void> => {
      let tokenized = 0;
      const corpus = await Corpus.open(folder, { ...fixed, tokenizer: using, onProgress: () => tokenized++ });
      assert.is(tokenized, files);
      fingerprints.add(corpus.fingerprint);
      assert.equal(await documentsOf(corpus), await expectedOf(expected, using));
      await corpus.close();
    };
    await open(texts, 3);
    await appendFile(path.join(folder, 'deeper/c.jsonl'), '\n{"text": "one more"}');
    await open([...texts, 'one more'], 3);
    // Only what is new is tokenized where all that comes before it is as it was.
    await writeFile(path.join(folder, 'z.txt'), 'last');
    await open([...texts, 'one more', 'last'], 1);
    await writeFile(path.join(folder, 'z.txt'), 'LAST');
    await utimes(path.join(folder, 'z.txt'), 1, 1);
    await open([...texts, 'one more', 'LAST'], 4);
    await writeFile(path.join(dir, 'tokenizer/merges.txt'), '#version: 0.2\nt h\n');
    await open([...texts, 'one more', 'LAST'], 4, await Tokenizer.load(path.join(dir, 'tokenizer')));
    assert.is(fingerprints.size, 5);
    // The same texts at another place and time, and then with other windows.
    const moved = path.join(dir, 'moved');
    await cp(folder, moved, { recursive: true });
    const again = await Tokenizer.load(path.join(dir, 'tokenizer'));
    const copy = await Corpus.open(moved, { ...options, tokenizer: again });
    await copy.close();
    assert.ok(fingerprints.has(copy.fingerprint));
    const other = await Corpus.open(moved, { ...options, tokenizer: again, oneDocument: true });
    await other.close();
    assert.not.ok(fingerprints.has(other.fingerprint));
  }),
);

opening('any number of workers and parts gives the same files, and progress comes to its end', () =>
  withFolder(async (dir) => {
    const tokenizer = await makeTokenizer(path.join(dir, 'tokenizer'));
    const text = makeTexts(300, 300, new TestRandom(5)).join('\n\n');
    const file = path.join(dir, 'large.txt');
    await writeFile(file, text);
    await writeFile(`${file}.gz`, gzipSync(text, { level: 1 }));
    const seen = new Set<string>();
    for (const name of [file, `${file}.gz`]) {
      for (const [workers, partBytes] of [[1, 1 << 30] as const, [2, 10_000] as const, [3, 700] as const]) {
        const folder = path.join(dir, 'cache');
        const events: TokenizeProgress[] = [];
        const onProgress = (event: TokenizeProgress): number => events.push(event);
        const manifest = await tokenizeInto(folder, [name], { tokenizer, workers, partBytes, onProgress });
        const { tokensChecksum, documentsChecksum } = manifest;
        seen.add(`${tokensChecksum} ${documentsChecksum}`);
        assert.is(await checksumOf(path.join(folder, 'tokens.bin'), 2 * manifest.tokens), tokensChecksum);
        const parts = name === file ? Math.ceil(text.length / partBytes) : 1;
        assert.ok(events.length >= parts, `${events.length} events`);
        const bytes = events.map((event) => event.bytes);
        assert.equal(
          bytes,
          [...bytes].sort((a, b) => a - b),
        );
        assert.is(bytes.at(-1), events.at(-1)!.totalBytes);
        assert.is(events.at(-1)!.tokens, manifest.tokens);
        await rm(folder, { recursive: true });
      }
    }
    assert.is(seen.size, 1);
  }),
);

opening('vocabularies beyond 65,536 have 32-bit tokens', () =>
  withCorpus(async ({ dir, texts, options }) => {
    const vocabulary = path.join(dir, 'tokenizer/vocab.json');
    const pieces = JSON.parse(await readFile(vocabulary, 'utf8')) as Record<string, number>;
    delete pieces['<|endoftext|>'];
    for (let id = Object.keys(pieces).length; id < 70_000; id++) pieces[`unused ${id}`] = id;
    pieces['<|endoftext|>'] = 70_000;
    await writeFile(vocabulary, JSON.stringify(pieces));
    const tokenizer = await Tokenizer.load(path.join(dir, 'tokenizer'));
    await using corpus = await Corpus.open(path.join(dir, 'all/texts/a.txt'), { ...options, tokenizer });
    const [row] = await corpus.rows(0, 1, { maxLength: 10_000, seed: 0 });
    const first = [...row!.subarray(0, row!.indexOf(70_000) + 1)].join();
    const known = await expectedOf(texts.slice(0, 9), tokenizer);
    assert.ok(known.includes(first), first);
  }),
);

opening.run();

const refusing = suite('corpus: what it refuses');

refusing('what is missing, unknown or without documents', () =>
  withCorpus(async ({ dir, tokenizer, options }) => {
    const cases: [paths: string | string[], code: string, message: RegExp][] = [
      [path.join(dir, 'none.txt'), 'GLM_IO', /none\.txt.*ENOENT.*check the path/],
      [[path.join(dir, 'all/texts'), path.join(dir, 'none')], 'GLM_IO', /none/],
      [path.join(dir, 'all/texts/notes.md'), 'GLM_DATA', /notes\.md; rename or convert/],
      [`${dir}/*.none`, 'GLM_DATA', /expected the pattern .* to match files, found none/],
      [path.join(dir, 'empty'), 'GLM_DATA', /expected files of a known kind .* found none/],
      [
        path.join(dir, 'blank.txt'),
        'GLM_DATA',
        /expected documents in .*blank\.txt, found nothing but white space/,
      ],
    ];
    await mkdir(path.join(dir, 'empty'));
    await writeFile(path.join(dir, 'blank.txt'), '\n \n');
    for (const [paths, code, message] of cases) {
      const error = await errorOf(Corpus.open(paths, options));
      assert.is(error.code, code, error.stack);
      assert.match(error.message, message);
    }
    const wrong: unknown[] = [
      {},
      { tokenizer: 1 },
      { tokenizer, docs: 'line' },
      { tokenizer, documents: 'page' },
      { tokenizer, workers: 0 },
    ];
    for (const given of wrong) {
      assert.is(
        (await errorOf(Corpus.open(dir, given as CorpusOptions))).code,
        'GLM_INVALID_ARGUMENT',
        JSON.stringify(Object.keys(given as object)),
      );
    }
    assert.is((await errorOf(Corpus.open([], options))).code, 'GLM_INVALID_ARGUMENT');
  }),
);

refusing('bad data, by file and line, from a worker; put right, the corpus opens', () =>
  withCorpus(async ({ dir, texts, options }) => {
    const file = path.join(dir, 'all/texts/deeper/c.jsonl');
    const good = await readFile(file, 'utf8');
    await writeFile(file, good.replace('\n', '\n{"tex": 1}\n'));
    const error = await errorOf(Corpus.open(path.join(dir, 'all/texts'), options));
    assert.is(error.code, 'GLM_DATA');
    assert.ok(error.message.startsWith(`${file}:2: expected the field "text"`), error.message);
    await writeFile(file, good);
    await using corpus = await Corpus.open(path.join(dir, 'all/texts'), options);
    assert.is(corpus.documents, texts.length);
  }),
);

refusing('a flipped bit, when asked', () =>
  withCorpus(async ({ dir, options }) => {
    await using corpus = await Corpus.open(path.join(dir, 'all/texts'), options);
    await corpus.verify();
    for (const name of ['tokens.bin', 'documents.bin']) {
      const file = path.join(corpus.folder, name);
      const bytes = await readFile(file);
      bytes[100]! ^= 4;
      await writeFile(file, bytes);
      assert.is((await errorOf(corpus.verify())).code, 'GLM_CORRUPT_FILE');
      bytes[100]! ^= 4;
      await writeFile(file, bytes);
    }
    await corpus.verify();
  }),
);

refusing('bad data in a later file costs nothing of the earlier ones', () =>
  withCorpus(async ({ dir, texts, options }) => {
    const [folder, file] = [path.join(dir, 'all/texts'), path.join(dir, 'all/texts/deeper/c.jsonl')];
    const good = await readFile(file, 'utf8');
    await writeFile(file, `${good}\n{`);
    assert.match((await errorOf(Corpus.open(folder, options))).message, /c\.jsonl:9: /);
    await writeFile(file, good);
    let tokenized = 0;
    await using corpus = await Corpus.open(folder, { ...options, onProgress: () => tokenized++ });
    assert.is(tokenized, 1);
    assert.equal(await documentsOf(corpus), await expectedOf(texts, options.tokenizer));
  }),
);

refusing('a folder in which someone else is tokenizing; not one whose holder is gone', () =>
  withCorpus(async ({ dir, options }) => {
    const cacheDir = path.join(dir, 'cache');
    const lock = await FolderLock.take(cacheDir);
    const error = await errorOf(Corpus.open(path.join(dir, 'all/texts'), { ...options, cacheDir }));
    assert.is(error.code, 'GLM_LOCKED');
    assert.match(error.message, new RegExp(`in use by process ${process.pid}`));
    await lock.release();
    // The same process number, started at another time: numbers are used again.
    for (const holder of ['999999999 1@boot', `${process.pid} 1@boot`]) {
      await writeFile(path.join(cacheDir, 'lock'), holder);
      await (await FolderLock.take(cacheDir)).release();
    }
    await (await Corpus.open(path.join(dir, 'all/texts'), { ...options, cacheDir })).close();
  }),
);

refusing('files that were cut off, and rows of a closed corpus', () =>
  withCorpus(async ({ dir, options }) => {
    const corpus = await Corpus.open(path.join(dir, 'all/texts'), options);
    await corpus.close();
    const asked = { maxLength: 64, seed: 0 };
    assert.is((await errorOf(corpus.rows(0, 1, asked))).code, 'GLM_DISPOSED');
    for (const [file, kept] of [['tokens.bin', 100] as const, ['documents.bin', 50] as const]) {
      const name = path.join(corpus.folder, file);
      const whole = await readFile(name);
      await writeFile(name, whole.subarray(0, kept));
      const error = await errorOf(Corpus.open(path.join(dir, 'all/texts'), options));
      assert.is(error.code, 'GLM_CORRUPT_FILE', error.stack);
      assert.match(error.message, new RegExp(`${file}.*found ${kept}`));
      await writeFile(name, whole);
    }
    await using again = await Corpus.open(path.join(dir, 'all/texts'), options);
    for (const [begin, count, more] of [
      [-1, 1, {}],
      [0, 1.5, {}],
      [0, 1, { seed: -1 }],
      [0, 1, { maxLength: 1 }],
    ] as const) {
      assert.is(
        (await errorOf(again.rows(begin, count, { ...asked, ...more }))).code,
        'GLM_INVALID_ARGUMENT',
      );
    }
  }),
);

refusing.run();

const aborting = suite('corpus: aborting');

aborting('rejects with the reason, leaves no lock, and the next attempt goes on from there', () =>
  withFolder(async (dir) => {
    const texts = makeTexts(400, 200, new TestRandom(6));
    const options = { tokenizer: await makeTokenizer(path.join(dir, 'tokenizer')), workers: 2 };
    const folder = path.join(dir, 'texts');
    await mkdir(folder);
    for (let i = 0; i < 20; i++) {
      await writeFile(path.join(folder, `${i + 10}.txt`), texts.slice(20 * i, 20 * i + 20).join('\n\n'));
    }
    const early = await errorOf(
      Corpus.open(folder, { ...options, signal: AbortSignal.abort(new Error('early')) }),
    );
    assert.is(early.message, 'early');
    const controller = new AbortController();
    let done = 0;
    const onProgress = (): void => {
      if (++done === 7) controller.abort(new Error('enough'));
    };
    const stopped = await errorOf(Corpus.open(folder, { ...options, signal: controller.signal, onProgress }));
    assert.is(stopped.message, 'enough');
    let rest = 0;
    await using corpus = await Corpus.open(folder, { ...options, onProgress: () => rest++ });
    assert.is(rest, 20 - done);
    assert.equal(await documentsOf(corpus), await expectedOf(texts, options.tokenizer));
  }),
);

aborting.run();

const splitting = suite('corpus: splitting');

splitting('each document is on one side, by the seed alone; the share is that of the documents', () =>
  withCorpus(async ({ dir, options }) => {
    const file = path.join(dir, 'lines.txt');
    const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}`);
    await writeFile(file, lines.join('\n'));
    const sidesOf = async (
      validation: number,
      seed?: number,
    ): Promise<[train: string[], validation: string[]]> => {
      await using corpus = await Corpus.open(file, { ...options, documents: 'line', oneDocument: true });
      const split = await corpus.split(seed === undefined ? { validation } : { validation, seed });
      assert.not.equal(split.train.fingerprint, split.validation.fingerprint);
      assert.is(split.train.tokens + split.validation.tokens, corpus.tokens);
      const texts = async (side: Corpus): Promise<string[]> => {
        // Each line is longer than half a window of 8 tokens, so none is passed over.
        const rows = await side.rows(0, 2 * side.windows(6), { maxLength: 6, seed: 0, shuffle: false });
        const found = await Promise.all(rows.map(async (row) => options.tokenizer.decode(row)));
        return [...new Set(found)];
      };
      assert.is(split.validation.documents + split.train.documents, 1000);
      return [await texts(split.train), await texts(split.validation)];
    };
    const [, first] = await sidesOf(0.1);
    const [, again] = await sidesOf(0.1);
    const [, other] = await sidesOf(0.1, 1);
    assert.equal(first, again);
    assert.not.equal(first, other);
    for (const share of [0.02, 0.5, 0.0001, 0.9999]) {
      await using corpus = await Corpus.open(file, { ...options, documents: 'line' });
      const { validation } = await corpus.split({ validation: share });
      assert.is(validation.documents, Math.min(999, Math.max(1, Math.round(share * 1000))));
    }
  }),
);

splitting('the sides together are all documents, also where the index has many blocks', () =>
  withCorpus(async ({ dir, options }) => {
    const file = path.join(dir, 'lines.txt');
    await writeFile(file, Array.from({ length: 70_000 }, (_, i) => `${i}`).join('\n'));
    await using corpus = await Corpus.open(file, { ...options, documents: 'line', oneDocument: true });
    const { train, validation } = await corpus.split({ validation: 0.3 });
    assert.is(train.documents + validation.documents, 70_000);
    const bytes = await Promise.all(
      (await readdir(corpus.folder))
        .filter((name) => name.startsWith('split-'))
        .map((name) => readFile(path.join(corpus.folder, name))),
    );
    assert.is(bytes.length, 2);
    const ends = bytes.flatMap((data) => {
      const entries = new Float64Array(new Uint8Array(data).buffer);
      return Array.from({ length: entries.length / 2 - 1 }, (_, i) => entries[2 * i + 3]!);
    });
    const all = new Float64Array(
      new Uint8Array(await readFile(path.join(corpus.folder, 'documents.bin'))).buffer,
    );
    assert.equal(
      ends.sort((a, b) => a - b),
      Array.from({ length: 70_000 }, (_, d) => all[2 * d + 3]!),
    );
    for (const side of [train, validation]) {
      const rows = await side.rows(0, 300, { maxLength: 16, seed: 1 });
      const texts = await Promise.all(rows.map((row) => options.tokenizer.decode(row)));
      for (const text of texts) assert.match(text, /^\d+<\|endoftext\|>$/);
    }
  }),
);

splitting('a share of nothing or all, or one document only, is refused', () =>
  withCorpus(async ({ dir, options }) => {
    await using corpus = await Corpus.open(path.join(dir, 'all/texts'), options);
    for (const validation of [0, 1, -1, Number.NaN]) {
      assert.is((await errorOf(corpus.split({ validation }))).code, 'GLM_INVALID_ARGUMENT');
    }
    await using one = await Corpus.open(path.join(dir, 'all/texts/a.txt'), { ...options, documents: 'file' });
    const error = await errorOf(one.split({ validation: 0.5 }));
    assert.is(error.code, 'GLM_DATA');
    assert.match(error.message, /expected at least two documents, found 1/);
  }),
);

splitting.run();
