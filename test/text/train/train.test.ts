import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import { parquetWriteBuffer } from 'hyparquet-writer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { byteCharacters, byteOrder } from '../../../ts/text/byte-level-bpe.js';
import { Tokenizer } from '../../../ts/text/tokenizer.js';
import type { TrainTokenizerOptions } from '../../../ts/text/train/train.js';
import { failsWith } from '../../support/fails-with.js';
import { referenceMerges } from '../reference-bpe.js';
import { speechFiles } from '../speeches.js';
import { withTemporaryFolder } from '../temporary-folder.js';

const training = suite('text: training a tokenizer');

const poem =
  'the cat sat on the mat, the bat sat on the hat; that cat, that bat!\n' +
  'naïve café naïve café 北京 北京大学 aaaa aaaaa aaaaaa\n'.repeat(3);

function trained(text: string, options: TrainTokenizerOptions): Promise<Tokenizer> {
  return withTemporaryFolder(async (dir) => {
    const file = path.join(dir, 'text.txt');
    await writeFile(file, text);
    return Tokenizer.train(file, options);
  });
}

const pieces = (tokenizer: Tokenizer): string[] =>
  Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.token(id));

function countsOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

training('byte-level BPE learns what a plain implementation learns', async () => {
  for (const vocabSize of [266, 267, 290, 330, 400]) {
    const tokenizer = await trained(poem, { type: 'bpe', vocabSize });
    const counts = countsOf(poem.match(/ ?\p{L}+| ?[^\s\p{L}]+|\s+(?!\S)|\s+/gu)!);
    const spelled = [...counts.keys()].map(
      (word) => [word, Array.from(Buffer.from(word), (byte) => byteCharacters[byte]!)] as const,
    );
    const alphabet = byteOrder.map((byte) => byteCharacters[byte]!);
    const reference = referenceMerges(new Map(spelled), counts, alphabet, (a, b) => a + b, vocabSize - 10);
    const learned = pieces(tokenizer).slice(0, -10);
    assert.equal(learned, reference.pieces, `vocabSize ${vocabSize}`);
    const written = tokenizer.definition.subwords;
    assert.equal(
      written.type === 'bpe' && written.merges.map(([left, right]) => ({ left, right })),
      reference.merges,
    );
  }
});

training('word pieces are what a plain implementation learns', async () => {
  const text = 'Low lower lowest newer newest wide wider widest. Low! '.repeat(2);
  const tokenizer = await trained(text, { type: 'wordpiece', vocabSize: 64 });
  const counts = countsOf(text.toLowerCase().match(/\w+|[.!]/g)!);
  const spelled = [...counts.keys()].map(
    (word) => [word, Array.from(word, (c, i) => (i === 0 ? c : `##${c}`))] as const,
  );
  const frequency = new Map<string, number>();
  for (const [word, characters] of spelled) {
    for (const c of characters) frequency.set(c, (frequency.get(c) ?? 0) + counts.get(word)!);
  }
  const alphabet = [...frequency.keys()].sort(
    (a, b) => frequency.get(b)! - frequency.get(a)! || (a < b ? -1 : 1),
  );
  const start = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...alphabet];
  const join = (left: string, right: string): string => left + right.slice(2);
  const reference = referenceMerges(new Map(spelled), counts, start, join, 59);
  assert.equal(pieces(tokenizer).slice(0, -5), reference.pieces);
  assert.equal(
    await tokenizer.decode(await tokenizer.encode('The lowest, newest!')),
    '[UNK] lowest [UNK] newest!',
  );
});

training('a vocabulary has the size asked for and the special tokens of a GLM', async () => {
  for (const vocabSize of [266, 512, 1000]) {
    const tokenizer = await Tokenizer.train(speechFiles.slice(0, 3), { type: 'bpe', vocabSize });
    assert.is(tokenizer.vocabSize, vocabSize);
    assert.is(new Set(pieces(tokenizer)).size, vocabSize);
    const roles = Object.entries(tokenizer.special) as [string, number][];
    const texts = roles.map(([role, id]) => [role, tokenizer.token(id)]);
    assert.equal(Object.fromEntries(texts), {
      pad: '<|endoftext|>',
      eos: '<|endoftext|>',
      sop: '<|startofpiece|>',
      eop: '<|endofpiece|>',
      cls: '[CLS]',
      mask: '[MASK]',
      sep: '[SEP]',
      unk: '[UNK]',
      gmask: '[gMASK]',
      smask: '[sMASK]',
      dblock: '[dBLOCK]',
    });
  }
  for (const vocabSize of [64, 512, 1000]) {
    const tokenizer = await Tokenizer.train(speechFiles.slice(0, 3), { type: 'wordpiece', vocabSize });
    assert.is(tokenizer.vocabSize, vocabSize);
    assert.is(new Set(pieces(tokenizer)).size, vocabSize);
    assert.is(tokenizer.token(tokenizer.special.pad), '[PAD]');
    assert.is(tokenizer.special.eos, tokenizer.special.pad);
  }
});

training('byte-level BPE writes every text as it was', async () => {
  const tokenizer = await trained(poem, { type: 'bpe', vocabSize: 300 });
  const texts = [
    '',
    'x',
    '  two\t\ttabs \n\n',
    '\u0000\u0001 控制',
    '👍🏽🇫🇷',
    'é e\u0301 ﬁ',
    "don't",
    '\ufeffbom',
    poem,
  ];
  for (const text of texts)
    assert.is(await tokenizer.decode(await tokenizer.encode(text)), text.trim() && text);
});

training('command tokens in the text are not learned, and take the space before a blank', async () => {
  const text = `${'<|endoftext|>'.repeat(50)} word [MASK] word <|endoftext|>`;
  const tokenizer = await trained(text, { type: 'bpe', vocabSize: 300 });
  assert.not.ok(pieces(tokenizer).some((piece) => piece.includes('endof') && !piece.startsWith('<|')));
  const { mask, eos } = tokenizer.special;
  assert.equal([...(await tokenizer.encode('[MASK]  \n [MASK]<|endoftext|>'))], [mask, mask, eos]);
});

training(
  'the same text gives the same vocabulary, whatever the order of files and the number of threads',
  async () => {
    for (const type of ['bpe', 'wordpiece'] as const) {
      const files = speechFiles.slice(0, 40);
      const first = await Tokenizer.train(files, { type, vocabSize: 700, threads: 3 });
      const second = await Tokenizer.train(files.toReversed(), { type, vocabSize: 700, threads: 1 });
      assert.equal(first.definition, second.definition);
    }
  },
);

training('text with little in it gives a smaller vocabulary', async () => {
  const tokenizer = await trained('ab ab', { type: 'bpe', vocabSize: 1000 });
  assert.equal(pieces(tokenizer).slice(256, -10), ['ab', 'Ġab']);
});

training('8,192 pieces of 10.8 MB take well below 15 s and leave the event loop free', async () => {
  const late: number[] = [];
  let before = performance.now();
  const timer = setInterval(() => {
    late.push(performance.now() - before);
    before = performance.now();
  }, 1);
  const began = performance.now();
  const tokenizer = await Tokenizer.train(speechFiles, { type: 'bpe', vocabSize: 8192 });
  const seconds = (performance.now() - began) / 1000;
  clearInterval(timer);
  assert.is(tokenizer.vocabSize, 8192);
  assert.ok(seconds < 15, `took ${seconds.toFixed(1)} s`);
  late.sort((a, b) => a - b);
  const usual = late[Math.floor(late.length * 0.95)]!;
  assert.ok(usual < 50, `one timer in twenty came ${usual.toFixed(1)} ms after the one before`);
});

training('a file that is not UTF-8 is refused with its line, wherever it is', async () => {
  await withTemporaryFolder(async (dir) => {
    const file = path.join(dir, 'latin1.txt');
    const options = { type: 'bpe', vocabSize: 300 } as const;
    await writeFile(
      file,
      Buffer.concat([Buffer.from('good\nna\u00efve\n'), Buffer.from([0x63, 0xe9, 0x0a])]),
    );
    await failsWith('GLM_DATA', /latin1\.txt:3: expected UTF-8/, () => Tokenizer.train(file, options));

    const lines = Buffer.from('a line of twenty byte\n'.repeat(500_000));
    await writeFile(file, Buffer.concat([lines, Buffer.from([0xff, 0x0a])]));
    await failsWith('GLM_DATA', /latin1\.txt:500001:/, () =>
      Tokenizer.train(file, { ...options, threads: 3 }),
    );
  });
});

training('long files are cut between words', async () => {
  await withTemporaryFolder(async (dir) => {
    const lines = path.join(dir, 'lines.txt');
    await writeFile(lines, `${'北京 大学\n'.repeat(1_200_000)}`);
    const learned = pieces(await Tokenizer.train(lines, { type: 'bpe', vocabSize: 280 }));
    const uncut = pieces(await trained('北京 大学\n'.repeat(3), { type: 'bpe', vocabSize: 280 }));
    assert.equal(learned, uncut);

    const oneLine = path.join(dir, 'one-line.txt');
    await writeFile(oneLine, '\ufeff' + '北'.repeat(3_000_000));
    assert.is((await Tokenizer.train(oneLine, { type: 'bpe', vocabSize: 268 })).vocabSize, 268);
  });
});

training('the same documents in any format give the same tokenizer', async () => {
  await withTemporaryFolder(async (dir) => {
    const documents = poem.trim().split('\n');
    const jsonLines = documents.map((body) => JSON.stringify({ body })).join('\n');
    const column = { name: 'body', data: documents, type: 'STRING' } as const;
    const parquet = new Uint8Array(parquetWriteBuffer({ columnData: [column], rowGroupSize: 2 }));
    await mkdir(path.join(dir, 'folder'));
    const contents: [string, string | Uint8Array][] = [
      ['poem', documents.join('\n\n')],
      ['poem.txt.gz', gzipSync(documents.join('\n\n'))],
      ['folder/poem.jsonl', jsonLines],
      ['poem.jsonl.gz', gzipSync(jsonLines)],
      ['poem.parquet', parquet],
    ];
    const learned: string[][] = [];
    for (const [name, content] of contents) {
      await writeFile(path.join(dir, name), content);
      const where = name.startsWith('folder') ? 'folder' : name;
      const options = { type: 'bpe', vocabSize: 300, field: 'body' } as const;
      learned.push(pieces(await Tokenizer.train(path.join(dir, where), options)));
    }
    for (const other of learned.slice(1)) assert.equal(other, learned[0]);
    await failsWith('GLM_DATA', /poem\.parquet: expected the column "text", found "body"/, () =>
      Tokenizer.train(path.join(dir, 'poem.parquet'), { type: 'bpe', vocabSize: 300 }),
    );
  });
});

training('what cannot be trained is refused with what to do', async () => {
  const bpe = { type: 'bpe', vocabSize: 300 } as const;
  const train =
    (files: unknown, options: unknown = bpe) =>
    () =>
      Tokenizer.train(files as string, options as TrainTokenizerOptions);
  const invalid = 'GLM_INVALID_ARGUMENT';
  await failsWith(invalid, /path of a text file/, train([]));
  await failsWith(invalid, /path of a text file/, train(undefined));
  await failsWith(invalid, /paths of text files, found 3/, train([3]));
  await failsWith(invalid, /'bpe' or 'wordpiece', found "unigram"/, train('x', { ...bpe, type: 'unigram' }));
  await failsWith(invalid, /vocabSize .* from 266 .* found 265/, train('x', { ...bpe, vocabSize: 265 }));
  await failsWith(invalid, /vocabSize .* from 64 /, train('x', { type: 'wordpiece', vocabSize: 10 }));
  await failsWith(invalid, /vocabSize/, train('x', { type: 'bpe', vocabSize: 1000.5 }));
  await failsWith(invalid, /vocabSize/, train('x', { type: 'bpe' }));
  await failsWith(invalid, /type/, train('x', null));
  await failsWith(invalid, /threads/, train('x', { ...bpe, threads: 0 }));
  await withTemporaryFolder(async (dir) => {
    await failsWith('GLM_IO', /none\.txt.*check the path/, train(path.join(dir, 'none.txt')));
    await mkdir(path.join(dir, 'folder'));
    await failsWith('GLM_DATA', /folder, found none/, train(path.join(dir, 'folder')));
    await writeFile(path.join(dir, 'empty.txt'), '');
    await failsWith('GLM_DATA', /no words in 1 file/, train(path.join(dir, 'empty.txt')));
  });
});

training('an aborted training rejects with the reason', async () => {
  const reason = new Error('enough');
  const started = Tokenizer.train(speechFiles, {
    type: 'bpe',
    vocabSize: 30_000,
    signal: AbortSignal.abort(reason),
  });
  assert.is(await started.catch((error: unknown) => error), reason);
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 50);
  const running = Tokenizer.train(speechFiles, { type: 'bpe', vocabSize: 30_000, signal: controller.signal });
  assert.is(await running.catch((error: unknown) => error), reason);
});

training.run();
