/** Many texts at once: the ids of `encode`, the speed of all cores, and an event loop that stays free. */

import { readFile } from 'node:fs/promises';
import { Tokenizer as PackageTokenizer } from 'tokenizers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lateness, spinningThreads } from '../support/event-loop.js';

import { Tokenizer } from '../../ts/text/tokenizer.js';
import { copyVocabulary, vocabularyFiles } from './published.js';
import { sharedFile, testWith } from './shared-files.js';
import { speeches, speechFiles } from './speeches.js';
import { withTemporaryFolder } from './temporary-folder.js';

const batches = suite('text: encoding batches');

function published(layout: 'gpt2' | 'bert-large-uncased'): Promise<Tokenizer> {
  return withTemporaryFolder(async (dir) => {
    await copyVocabulary(layout, dir);
    return Tokenizer.load(dir);
  });
}

/** The same tokenizer made of the `tokenizers` package's parts. */
async function packaged(layout: 'gpt2' | 'bert-large-uncased'): Promise<PackageTokenizer> {
  const text = (name: string): Promise<string> => readFile(sharedFile('vocab', name), 'utf8');
  if (layout === 'gpt2') {
    const merges = (await text('gpt2-merges.txt')).trim().split('\n').slice(1);
    const vocab = JSON.parse(await text('gpt2-vocab.json')) as unknown;
    const pre_tokenizer = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    return packageTokenizer({ pre_tokenizer, model: { type: 'BPE', vocab, merges } });
  }
  const pieces = (await text('bert-base-uncased-vocab.txt')).trimEnd().split('\n');
  const normalizer = {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    lowercase: true,
  };
  const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  const model = {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab,
  };
  return packageTokenizer({
    normalizer: { ...normalizer, strip_accents: null },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    model,
  });
}

function packageTokenizer(parts: object): PackageTokenizer {
  return PackageTokenizer.fromString(JSON.stringify({ version: '1.0', added_tokens: [], ...parts }));
}

async function packageIds(tokenizer: PackageTokenizer, texts: string[]): Promise<Int32Array[]> {
  const encodings = await tokenizer.encodeBatch(texts, { addSpecialTokens: false });
  return encodings.map((encoding) => Int32Array.from(encoding.getIds()));
}

/** Texts of characters from all over Unicode that have been there long enough for every implementation to know them. */
function strangeTexts(count: number): string[] {
  const ranges = [
    [0x20, 0x7e],
    [0x41, 0x5a],
    [0x09, 0x0a],
    [0xa0, 0x24f],
    [0x391, 0x3a1],
    [0x3b1, 0x3c9],
    [0x410, 0x44f],
    [0x621, 0x64a],
    [0x905, 0x939],
    [0x2010, 0x205e],
    [0x3041, 0x3096],
    [0x4e00, 0x9fa5],
    [0xac00, 0xd7a3],
    [0xff01, 0xff5e],
    [0x1f600, 0x1f64f],
  ] as const;
  let state = 1;
  const random = (below: number): number => (state = (state * 48271) % 0x7fffffff) % below;
  return Array.from({ length: count }, () => {
    const characters = Array.from({ length: 1 + random(40) }, () => {
      const [first, last] = ranges[random(2) === 0 ? random(3) : random(ranges.length)]!;
      return String.fromCodePoint(first + random(last - first + 1));
    });
    return `x${characters.join('')}`;
  });
}

for (const layout of ['gpt2', 'bert-large-uncased'] as const) {
  testWith(batches, vocabularyFiles(layout), `${layout}: the ids of the tokenizers package`, async () => {
    const [ours, theirs] = [await published(layout), await packaged(layout)];
    const texts = [...strangeTexts(1500), ...speeches().slice(0, 10)].filter(
      (text) => !text.includes('MASK]'),
    );
    const [found, expected] = [await ours.encodeBatch(texts), await packageIds(theirs, texts)];
    texts.forEach((text, i) => assert.equal(found[i], expected[i], JSON.stringify(text.slice(0, 100))));
  });

  testWith(batches, vocabularyFiles(layout), `${layout}: no slower than the tokenizers package`, async () => {
    const [ours, theirs] = [await published(layout), await packaged(layout)];
    const texts = speeches().slice(0, 40);
    const time = async (run: () => Promise<unknown>): Promise<number> => {
      const began = performance.now();
      await run();
      return performance.now() - began;
    };
    // The first round of each starts threads and fills caches.
    const rounds = { ours: [] as number[], theirs: [] as number[] };
    for (let round = 0; round < 3; round++) {
      rounds.ours.push(await time(() => ours.encodeBatch(texts)));
      rounds.theirs.push(await time(() => packageIds(theirs, texts)));
    }
    const [best, package_] = [Math.min(...rounds.ours), Math.min(...rounds.theirs)];
    assert.ok(best <= 1.15 * package_, `${best.toFixed(0)} ms, the package takes ${package_.toFixed(0)} ms`);
  });
}

batches('of any size give the ids of the single texts, in order', async () => {
  const tokenizer = await Tokenizer.train(speechFiles.slice(0, 5), { type: 'bpe', vocabSize: 500 });
  const speech = speeches()[0]!;
  const long = speech.repeat(Math.ceil(200_000 / speech.length));
  const short = speech.split(/(?<=\. )/);
  assert.equal(await tokenizer.encodeBatch([]), []);
  // Here, then on threads because there is much, then because one text is long.
  for (const texts of [short, Array.from({ length: 60 }, () => short).flat(), ['', long, ' ', 'x']]) {
    const found = await tokenizer.encodeBatch(texts);
    assert.is(found.length, texts.length);
    for (const [i, text] of texts.entries()) assert.equal(found[i], await tokenizer.encode(text));
  }
  const parts = short.map((text) => tokenizer.encode(text));
  const several = await Promise.all([
    tokenizer.encodeBatch([long]),
    tokenizer.encodeBatch([long, 'x']),
    ...parts,
  ]);
  assert.equal(several[0][0], several[1][0]);
  // Long text is worked on in stretches; that must not show.
  const cut = (
    await Promise.all(long.match(/[^]{1,1000}(?= \p{L})|[^]+/gu)!.map((part) => tokenizer.encode(part)))
  ).flatMap((ids) => [...ids]);
  assert.equal(several[0][0], Int32Array.from(cut));
});

batches('leave the event loop as free as beside spinning threads', async () => {
  const tokenizer = await Tokenizer.train(speechFiles.slice(0, 5), { type: 'bpe', vocabSize: 500 });
  const many = [...speeches(), ...speeches()];
  await tokenizer.encodeBatch(many);
  const beside = await lateness(spinningThreads(2, 1500), 0.95);
  const during = await lateness(tokenizer.encodeBatch(many), 0.95);
  assert.ok(
    during <= 2 * beside + 5,
    `late by ${during.toFixed(1)} ms, beside threads by ${beside.toFixed(1)} ms`,
  );
});

batches.run();
