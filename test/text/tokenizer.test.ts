/** The tokenizer as a user meets it: folders, bad input, sentence ends, text that is written. */

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { hasTokenizer } from '../../ts/text/folder.js';
import { type LoadTokenizerOptions, Tokenizer } from '../../ts/text/tokenizer.js';
import { failsWith } from '../support/fails-with.js';
import { copyVocabulary, vocabularyFiles, writeJson } from './published.js';
import { testWith } from './shared-files.js';
import { speechFiles } from './speeches.js';
import { withTemporaryFolder } from './temporary-folder.js';

const using = suite('text: using a tokenizer');

const small = await Tokenizer.train(speechFiles.slice(0, 2), { type: 'bpe', vocabSize: 400 });
const smallPieces = await Tokenizer.train(speechFiles.slice(0, 2), { type: 'wordpiece', vocabSize: 600 });

using('a saved tokenizer is the same after loading', async () => {
  for (const tokenizer of [small, smallPieces]) {
    await withTemporaryFolder(async (dir) => {
      const inside = path.join(dir, 'new', 'folder');
      await tokenizer.save(inside);
      assert.ok(await hasTokenizer(inside));
      const loaded = await Tokenizer.load(inside);
      assert.equal(loaded.definition, tokenizer.definition);
      assert.equal(loaded.special, tokenizer.special);
      assert.equal(loaded.sentenceEnds, tokenizer.sentenceEnds);
      const names = await readdir(inside);
      assert.not.ok(names.some((name) => name.endsWith('.tmp')));
      await loaded.save(inside);
      assert.equal(await readdir(inside), names);
    });
  }
});

using('saving over a folder that cannot be written is an error and leaves nothing', async () => {
  await withTemporaryFolder(async (dir) => {
    await writeFile(path.join(dir, 'file'), '');
    await failsWith('GLM_IO', /cannot write .*file/, () => small.save(path.join(dir, 'file')));
    assert.equal(await readdir(dir), ['file']);
    // Here the new file is written, and cannot be put in its place.
    await mkdir(path.join(dir, 'model', 'vocab.json', 'inside'), { recursive: true });
    await failsWith('GLM_IO', /cannot write .*vocab\.json/, () => small.save(path.join(dir, 'model')));
    assert.equal(await readdir(path.join(dir, 'model')), ['vocab.json']);
  });
});

using(
  'sentence ends are the pieces that write . ? ! ; : or their Chinese forms, … or a line break',
  async () => {
    const { sentenceEnds, vocabSize } = small;
    assert.is(sentenceEnds.length, vocabSize);
    const ends = async (text: string): Promise<number[]> =>
      Array.from(await small.encode(`x${text}`), (id) => sentenceEnds[id]!).slice(1);
    for (const end of ['.', '?', '!', ';', ':', '\n']) assert.equal(await ends(end), [1], end);
    for (const other of [',', 'x', '-', '"', ' ', '[MASK]', '<|endoftext|>'])
      assert.equal(await ends(other), [0], other);
  },
);

testWith(using, vocabularyFiles('chinese'), 'Chinese sentence ends', async () => {
  const tokenizer = await withTemporaryFolder(async (dir) => {
    await copyVocabulary('chinese', dir);
    return Tokenizer.load(dir);
  });
  for (const [text, end] of [
    ['。', 1],
    ['？', 1],
    ['…', 1],
    ['、', 0],
    ['的', 0],
  ] as const) {
    const id = (await tokenizer.encode(text)).at(-1)!;
    assert.is(tokenizer.sentenceEnds[id], end, `${text} is ${tokenizer.token(id)}`);
  }
});

testWith(
  using,
  vocabularyFiles('bert-base-uncased'),
  'word pieces are written as a person would',
  async () => {
    const tokenizer = await withTemporaryFolder(async (dir) => {
      await copyVocabulary('bert-base-uncased', dir);
      return Tokenizer.load(dir);
    });
    for (const text of [
      'hello, world!',
      "don't can't i'm we've they'll he'd",
      'ng co-founded coursera (formerly of its stanford ai lab). also a pioneer',
      '3.14159 1,000,000 $5.00 50% #hashtag @user foo_bar a-b-c',
      'in 2010, 20 people said "yes, we do" and left; why?',
      'the capital of france is [MASK]. it has [MASK], and [MASK]',
      '日本語。 한국어',
      'either/or: a, b; c',
    ]) {
      const ids = await tokenizer.encode(text);
      assert.is(await tokenizer.decode(ids), text);
      const stream = tokenizer.decodeStream();
      const parts = Array.from(ids, (id) => stream.push(id));
      assert.is(parts.join('') + stream.end(), text);
    }
  },
);

using('a character spread over tokens is streamed when it is whole', async () => {
  const ids = await small.encode('a北b');
  const stream = small.decodeStream();
  assert.equal(
    Array.from(ids, (id) => stream.push(id)),
    ['a', '', '', '北', 'b'],
  );
  assert.is(stream.end(), '');
  const half = small.decodeStream();
  half.push(ids[1]!);
  assert.is(half.end(), '\ufffd');
});

using('blanks take the white space in front of them, other command tokens do not', async () => {
  const { mask, gmask, smask, cls } = small.special;
  const [x] = await small.encode('x');
  const [, space] = await small.encode('x ');
  assert.equal([...(await small.encode('x \u00a0\u3000\n[MASK]\t[gMASK] [sMASK]'))], [x, mask, gmask, smask]);
  assert.equal([...(await small.encode('x [CLS]'))], [x, space, cls]);
  assert.equal([...(await small.encode(' \n[MASK]'))], [mask]);
  assert.equal([...(await small.encode(' \n\t'))], []);
});

using('input of a model: a text without a blank is continued', async () => {
  const { cls, eos, gmask, mask } = small.special;
  const text = [...(await small.encode('Once'))];
  assert.equal([...(await small.encodePrompt('Once'))], [cls, ...text, gmask]);
  assert.equal([...(await small.encodePrompt('Once [MASK]'))], [cls, ...text, mask, eos]);
  assert.equal([...(await small.encodePrompt('Once[gMASK]'))], [cls, ...text, gmask]);
});

using('bad arguments are refused', async () => {
  const invalid = 'GLM_INVALID_ARGUMENT';
  await failsWith(invalid, /encode: expected a string, found 3/, () => small.encode(3 as never));
  await failsWith(invalid, /encodePrompt/, () => small.encodePrompt(undefined as never));
  await failsWith(invalid, /array of strings/, () => small.encodeBatch('x' as never));
  await failsWith(invalid, /a string at index 1, found null/, () => small.encodeBatch(['x', null] as never));
  await failsWith(invalid, /an array of token ids/, () => small.decode(undefined as never));
  await failsWith(invalid, /from 0 to 399, found 400/, () => small.decode([1, 400]));
  await failsWith(invalid, /found -1/, () => small.decode(Int32Array.of(-1)));
  await failsWith(invalid, /found 1.5/, async () => small.token(1.5));
  await failsWith(invalid, /path of a folder/, () => Tokenizer.load(7 as never));
  const layout = { layout: 'llama' } as unknown as LoadTokenizerOptions;
  await failsWith(invalid, /one of bert-base-uncased.*found "llama"/, () => Tokenizer.load('x', layout));
});

/** A folder with a tokenizer of 400 tokens, changed, and what loading it says. */
function changed(
  change: (dir: string) => Promise<void>,
  code: 'GLM_TOKENIZER' | 'GLM_INVALID_ARGUMENT',
  says: RegExp,
) {
  return withTemporaryFolder(async (dir) => {
    await small.save(dir);
    await change(dir);
    await failsWith(code, says, () => Tokenizer.load(dir));
  });
}

using('a folder without a tokenizer, or with a broken one, is refused by what is wrong', async () => {
  await failsWith('GLM_IO', /check the path/, () => Tokenizer.load('/nowhere/at/all'));
  await withTemporaryFolder(async (dir) => {
    await failsWith('GLM_TOKENIZER', /found an empty folder/, () => Tokenizer.load(dir));
    await writeJson(dir, 'config.json', {});
    assert.not.ok(await hasTokenizer(dir));
    await failsWith('GLM_TOKENIZER', /vocab\.txt.*found config\.json/, () => Tokenizer.load(dir));
  });
  const write = (name: string, content: string | Uint8Array) => (dir: string) =>
    writeFile(path.join(dir, name), content);
  const edit = (name: string, from: string | RegExp, to: string) => async (dir: string) => {
    const text = await readFile(path.join(dir, name), 'utf8');
    assert.not.equal(text.replace(from, to), text);
    await writeFile(path.join(dir, name), text.replace(from, to));
  };
  const broken = 'GLM_TOKENIZER';
  await changed(write('vocab.json', '{"a": 1'), broken, /vocab\.json: expected JSON/);
  await changed(write('vocab.json', '[1, 2]'), broken, /expected an object, found \[1,2\]/);
  await changed(write('vocab.json', '{"a": -1}'), broken, /'a': expected an id from 0/);
  await changed(write('vocab.json', '{"a": 4000000000}'), broken, /'a': expected an id from 0/);
  await changed(write('vocab.json', '{"a": 1, "b": 1}'), broken, /'a' and 'b' for 1/);
  await changed(write('vocab.json', '{"a": 1}'), broken, /256 bytes, found none for byte 0/);
  await changed(write('vocab.json', Uint8Array.of(0x7b, 0xff)), broken, /expected UTF-8/);
  await changed(edit('merges.txt', '\n', '\nno such\n'), broken, /merge 1 \('no such'\).*do not belong/);
  await changed(edit('merges.txt', '\n', '\nab\n'), broken, /merges\.txt:2: expected two pieces/);
  await changed(edit('added_tokens.json', '[MASK]', '[HASK]'), broken, /found none for mask \(\[MASK\]\)/);
  await changed(write('added_tokens.json', '{"[MASK]": "x"}'), broken, /'\[MASK\]'.*found "x"/);
  await changed(write('tokenizer_config.json', '7'), broken, /tokenizer_config\.json: expected an object/);
  await changed(write('vocab.txt', 'no\nspecial\n'), broken, /word-piece vocabulary with \[UNK\]/);
  for (const [json, says] of [
    ['{}', /model: expected an object/],
    ['{"model": {"type": "Unigram", "vocab": {}}}', /model\.type: expected a WordPiece.*"Unigram"/],
    ['{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}', /byte-level BPE, found "BPE"/],
    ['{"model": {"vocab": {"[UNK]": 0}}, "added_tokens": [{"id": 1}]}', /added_tokens: expected a token/],
  ] as const) {
    await withTemporaryFolder(async (dir) => {
      await writeFile(path.join(dir, 'tokenizer.json'), json);
      await failsWith('GLM_TOKENIZER', says, () => Tokenizer.load(dir));
    });
  }
  await withTemporaryFolder(async (dir) => {
    await small.save(dir);
    await failsWith(
      'GLM_INVALID_ARGUMENT',
      /layout for a bpe vocabulary \(gpt2, roberta\), found 'chinese'/,
      () => Tokenizer.load(dir, { layout: 'chinese' }),
    );
  });
});

testWith(
  using,
  vocabularyFiles('chinese'),
  'a damaged SentencePiece model is refused, wherever it is damaged',
  async () => {
    await withTemporaryFolder(async (dir) => {
      await copyVocabulary('chinese', dir);
      const file = path.join(dir, 'cog-pretrain.model');
      const whole = await readFile(file);
      const tried = async (bytes: Uint8Array): Promise<void> => {
        await writeFile(file, bytes);
        await failsWith('GLM_TOKENIZER', /SentencePiece model: /, () => Tokenizer.load(dir));
      };
      for (const length of [0, 1, 2, 100, 500_000, whole.length - 1]) await tried(whole.subarray(0, length));
      await tried(Buffer.from('not a model at all'));
      // The size of the normaliser's trie, behind the name 'nmt_nfkc' of its rules.
      const wild = Buffer.from(whole);
      const rules = wild.indexOf('nmt_nfkc') + 'nmt_nfkc'.length + 4;
      wild.writeUInt32LE(0x7ffffff0, rules);
      await tried(wild);
    });
  },
);

using.run();
