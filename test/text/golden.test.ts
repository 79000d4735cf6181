/** Every id of the original's six tokenizers, from each way to say where the special tokens are. */

import { readFile } from 'node:fs/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { type LayoutName, layoutNames } from '../../ts/text/layouts.js';
import type { SpecialTokens } from '../../ts/text/special-tokens.js';
import { Tokenizer } from '../../ts/text/tokenizer.js';
import { goldenJson } from '../support/golden.js';
import { addedTokens, copyVocabulary, vocabularyFiles, writeJson } from './published.js';
import { sharedFile, testWith } from './shared-files.js';
import { withTemporaryFolder } from './temporary-folder.js';

interface GoldenTokenizer {
  num_tokens: number;
  command_tokens: Record<string, { token: string; id: number }>;
  cases: { text: string; ids: number[]; decoded?: string }[];
}

interface GoldenPrompt {
  tokenizer: LayoutName;
  text: string;
  input: number[];
}

const golden = suite('text: the published tokenizers');
const families = goldenJson<Record<LayoutName, GoldenTokenizer>>('tokenizers.json');
const prompts = goldenJson<GoldenPrompt[]>('prompts.json');

/** The original's names of roles that we call otherwise. */
const roles: Record<string, keyof SpecialTokens> = {
  ENC: 'cls',
  MASK: 'mask',
  gMASK: 'gmask',
  sMASK: 'smask',
  dBLOCK: 'dblock',
};

async function compareWithOriginal(tokenizer: Tokenizer, expected: GoldenTokenizer): Promise<void> {
  assert.is(tokenizer.vocabSize, expected.num_tokens);
  const special = Object.entries(expected.command_tokens).map(([role, { id }]) => [roles[role] ?? role, id]);
  assert.equal(tokenizer.special, Object.fromEntries(special));
  for (const { text, ids, decoded } of expected.cases) {
    assert.equal([...(await tokenizer.encode(text))], ids, JSON.stringify(text));
    if (decoded !== undefined) assert.is(await tokenizer.decode(ids), decoded);
  }
  const texts = expected.cases.map((one) => one.text);
  const batch = await tokenizer.encodeBatch(texts);
  assert.equal(
    batch.map((ids) => [...ids]),
    expected.cases.map((one) => one.ids),
  );
}

function load(
  layout: LayoutName,
  prepare: (dir: string) => Promise<void>,
  named = false,
): Promise<Tokenizer> {
  return withTemporaryFolder(async (dir) => {
    await copyVocabulary(layout, dir);
    await prepare(dir);
    return Tokenizer.load(dir, named ? { layout } : {});
  });
}

const nothingElse = (): Promise<void> => Promise.resolve();

for (const layout of layoutNames) {
  testWith(golden, vocabularyFiles(layout), `${layout}: ids and texts, layout by name`, async () => {
    await compareWithOriginal(await load(layout, nothingElse, true), families[layout]);
  });

  testWith(
    golden,
    vocabularyFiles(layout),
    `${layout}: ids and texts, layout by added_tokens.json`,
    async () => {
      const tokenizer = await load(layout, (dir) => writeJson(dir, 'added_tokens.json', addedTokens[layout]));
      await compareWithOriginal(tokenizer, families[layout]);
    },
  );

  testWith(golden, vocabularyFiles(layout), `${layout}: saved and loaded again`, async () => {
    await withTemporaryFolder(async (dir) => {
      await (await load(layout, nothingElse, true)).save(dir);
      await compareWithOriginal(await Tokenizer.load(dir), families[layout]);
    });
  });

  testWith(golden, vocabularyFiles(layout), `${layout}: decoded token by token`, async () => {
    const tokenizer = await load(layout, nothingElse, true);
    for (const { ids } of families[layout].cases) {
      const stream = tokenizer.decodeStream();
      const parts = ids.map((id) => stream.push(id));
      assert.is(parts.join('') + stream.end(), await tokenizer.decode(ids));
    }
  });
}

// The golden prompts have none for the second Chinese layout.
for (const layout of layoutNames.filter((name) => name !== 'chinese-10b')) {
  testWith(golden, vocabularyFiles(layout), `${layout}: input of a model`, async () => {
    const tokenizer = await load(layout, nothingElse, true);
    const cases = prompts.filter((prompt) => prompt.tokenizer === layout);
    assert.is(cases.length, 10);
    for (const { text, input } of cases) {
      assert.equal([...(await tokenizer.encodePrompt(text))], input, JSON.stringify(text));
    }
  });
}

for (const layout of ['bert-large-uncased', 'gpt2', 'roberta', 'chinese'] as const) {
  testWith(golden, vocabularyFiles(layout), `${layout}: the vocabulary's files alone`, async () => {
    await compareWithOriginal(await load(layout, nothingElse), families[layout]);
  });
}

testWith(golden, vocabularyFiles('gpt2'), 'gpt2: added_tokens_decoder of tokenizer_config.json', async () => {
  const decoder = Object.entries(addedTokens.gpt2).map(([content, id]) => [id, { content, lstrip: false }]);
  const tokenizer = await load('gpt2', (dir) =>
    writeJson(dir, 'tokenizer_config.json', { added_tokens_decoder: Object.fromEntries(decoder) as unknown }),
  );
  await compareWithOriginal(tokenizer, families.gpt2);
});

testWith(golden, vocabularyFiles('gpt2'), 'gpt2: tokenizer.json alone', async () => {
  const vocab = JSON.parse(await readFile(sharedFile('vocab/gpt2-vocab.json'), 'utf8')) as unknown;
  const merges = (await readFile(sharedFile('vocab/gpt2-merges.txt'), 'utf8')).trim().split('\n').slice(1);
  const added_tokens = Object.entries(addedTokens.gpt2).map(([content, id]) => ({
    id,
    content,
    lstrip: true,
  }));
  const pre_tokenizer = { type: 'Sequence', pretokenizers: [{ type: 'ByteLevel', add_prefix_space: false }] };
  for (const written of [merges, merges.map((merge) => merge.split(' '))]) {
    await withTemporaryFolder(async (dir) => {
      const model = { type: 'BPE', vocab, merges: written };
      await writeJson(dir, 'tokenizer.json', { added_tokens, pre_tokenizer, model });
      await compareWithOriginal(await Tokenizer.load(dir), families.gpt2);
    });
  }
});

testWith(
  golden,
  vocabularyFiles('bert-base-uncased'),
  'bert-base-uncased: tokenizer.json alone',
  async () => {
    const pieces = (await readFile(sharedFile('vocab/bert-base-uncased-vocab.txt'), 'utf8'))
      .trimEnd()
      .split('\n');
    const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
    const added_tokens = Object.entries(addedTokens['bert-base-uncased']).map(([content, id]) => ({
      id,
      content,
    }));
    await withTemporaryFolder(async (dir) => {
      const normalizer = { type: 'BertNormalizer', lowercase: true };
      await writeJson(dir, 'tokenizer.json', {
        added_tokens,
        normalizer,
        model: { type: 'WordPiece', vocab },
      });
      await compareWithOriginal(await Tokenizer.load(dir), families['bert-base-uncased']);
    });
  },
);

testWith(golden, vocabularyFiles('roberta'), "roberta: the mask's own spelling is a blank too", async () => {
  const tokenizer = await load('roberta', nothingElse);
  assert.equal([...(await tokenizer.encode('x <mask>'))], [...(await tokenizer.encode('x [MASK]'))]);
  assert.equal(
    [...(await tokenizer.encodePrompt('x <mask>'))],
    [...(await tokenizer.encodePrompt('x [MASK]'))],
  );
});

for (const name of ['english_200', 'xquad_zh_paragraphs', 'xquad_zh_questions']) {
  const files = [...vocabularyFiles('chinese'), `data/zh/${name}.txt`, `data/zh/${name}.ids.txt`];
  testWith(golden, files, `chinese: the ids of sentencepiece for ${name}`, async () => {
    const tokenizer = await load('chinese', nothingElse);
    const lines = async (file: string): Promise<string[]> =>
      (await readFile(sharedFile(file), 'utf8')).trimEnd().split('\n');
    const [texts, ids, pieces] = await Promise.all([
      lines(`data/zh/${name}.txt`),
      lines(`data/zh/${name}.ids.txt`),
      lines(`data/zh/${name}.pieces.txt`),
    ]);
    const found = await tokenizer.encodeBatch(texts);
    assert.is(found.length, ids.length);
    found.forEach((line, i) => assert.is(line.join(' '), ids[i]));
    // The reference shows the surface of unknown characters instead of <unk>.
    found.forEach((line, i) => {
      if (line.includes(0)) return;
      assert.is([...line].map((id) => tokenizer.token(id)).join(' '), pieces[i]);
    });
  });
}

golden.run();
