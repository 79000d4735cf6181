/** Documents of text, JSON lines and Parquet files, in parts of any size. */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import { parquetWriteBuffer } from 'hyparquet-writer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { DocumentReader, DocumentRules, Part } from '../../ts/text/documents/document.js';
import { openReader } from '../../ts/text/documents/reader.js';
import { findSources } from '../../ts/text/documents/sources.js';
import { withFolder } from '../support/folder.js';
import { TestRandom } from '../support/random.js';
import { makeText, makeTexts, makeTokenizer } from '../data/corpus-fixtures.js';

type Documents = DocumentRules['documents'];

/** The documents of a file, read in parts of `step` bytes by `readers` that take turns. */
async function documentsOf(
  file: string,
  { documents = 'blank-line', field = 'text', step = Infinity, readers = 1 }: Options = {},
): Promise<string[]> {
  const [source] = await findSources([file]);
  const opened = await Promise.all(
    Array.from({ length: readers }, () => openReader(source!, { documents, field })),
  );
  try {
    return await readInTurns(opened, step);
  } finally {
    await Promise.all(opened.map((reader) => reader.close()));
  }
}

async function readInTurns(readers: readonly DocumentReader[], step: number): Promise<string[]> {
  const found: string[] = [];
  for (let index = 0, ended = false; !ended; index++) {
    const reader = readers[index % readers.length]!;
    const part: Part = { index, from: step === Infinity ? 0 : index * step, to: (index + 1) * step };
    let text = '';
    for await (const stretches of reader.read(part)) {
      for (const stretch of stretches) {
        text += stretch.text;
        if (!stretch.last) continue;
        found.push(text);
        text = '';
      }
    }
    assert.is(text, '', 'a part ends with a document');
    ended = reader.ended;
  }
  return found;
}

interface Options {
  documents?: Documents;
  field?: string;
  step?: number;
  readers?: number;
}

async function withFile(
  name: string,
  content: string | Uint8Array,
  use: (file: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (dir) => {
    const file = path.join(dir, name);
    await writeFile(file, content);
    await use(file);
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

const text = suite('corpus: text files');

text('a blank line ends a document, however blank, and so does the end of the file', () =>
  withFile('a.txt', '\n  \nfirst\nmore\r\nand more\n\n\nsecond \n\t \u3000\nthird', async (file) => {
    assert.equal(await documentsOf(file), ['first\nmore\nand more', 'second ', 'third']);
  }),
);

text('a document per line, or per file', () =>
  withFile('a.txt', 'one\n\n two\r\n   \nthree\n', async (file) => {
    assert.equal(await documentsOf(file, { documents: 'line' }), ['one', ' two', 'three']);
    assert.equal(await documentsOf(file, { documents: 'file' }), ['one\n\n two\n   \nthree']);
  }),
);

text('a byte order mark is no text, and files of white space have no documents', async () => {
  await withFile('a.txt', '\ufeffone\n\n\ufefftwo', async (file) => {
    assert.equal(await documentsOf(file), ['one', '\ufefftwo']);
  });
  for (const content of ['', '\n', ' \n\t\n\n']) {
    await withFile('a.txt', content, async (file) => assert.equal(await documentsOf(file), []));
  }
});

text('parts of any size hold the same documents, once each', async () => {
  const random = new TestRandom(1);
  const texts = makeTexts(30, 40, random);
  const joined = texts
    .map((one) => one + ['\n\n', '\n \n', '\n\n\n\n', '\r\n\r\n'][Math.floor(random.uniform() * 4)]!)
    .join('');
  for (const name of ['a.txt', 'a.txt.gz']) {
    const content = name.endsWith('.gz') ? gzipSync(joined) : joined;
    await withFile(name, content, async (file) => {
      const lines = joined.split(/\r?\n/).filter((line) => line.trim() !== '');
      for (const step of [1, 3, 17, 333, 100_000]) {
        for (const readers of [1, 2, 3]) {
          if (readers > 1 && step < 17) continue;
          assert.equal(await documentsOf(file, { step, readers }), texts, `${name}: ${step}, ${readers}`);
          assert.equal(
            await documentsOf(file, { documents: 'line', step, readers }),
            lines,
            `${name}: ${step}, lines`,
          );
        }
      }
    });
  }
});

text('long documents and long lines come in stretches that give the tokens of the whole', () =>
  withFolder(async (dir) => {
    const tokenizer = await makeTokenizer(path.join(dir, 'tokenizer'));
    const random = new TestRandom(2);
    const lines = makeText(400_000, random);
    const oneLine = makeText(1_500_000, random).replaceAll(/\s*\n\s*/g, ' ');
    const file = path.join(dir, 'a.txt');
    for (const whole of [lines, oneLine, '日本語'.repeat(400_000)]) {
      await writeFile(file, whole);
      const [source] = await findSources([file]);
      const reader = await openReader(source!, { documents: 'file', field: 'text' });
      const pieces: string[] = [];
      for await (const stretches of reader.read({ index: 0, from: 0, to: Infinity })) {
        pieces.push(...stretches.map((stretch) => stretch.text));
      }
      await reader.close();
      assert.is(pieces.join(''), whole);
      assert.ok(pieces.length > 1 === whole.includes(' '), `${pieces.length} stretches`);
      const apart = await Promise.all(pieces.map((piece) => tokenizer.encode(piece)));
      assert.equal(
        Buffer.concat(apart.map((ids) => Buffer.from(ids.buffer))),
        Buffer.from((await tokenizer.encode(whole)).buffer),
      );
    }
  }),
);

text('what is not UTF-8 is named with its line, in whatever part it is', async () => {
  const content = Buffer.concat([Buffer.from('good\nlines\n\n'.repeat(30)), Buffer.from([0x68, 0xff, 0x68])]);
  for (const name of ['a.txt', 'a.txt.gz']) {
    await withFile(name, name.endsWith('.gz') ? gzipSync(content) : content, async (file) => {
      for (const step of [Infinity, 50]) {
        const error = await errorOf(documentsOf(file, { step }));
        assert.is(error.code, 'GLM_DATA');
        assert.ok(error.message.startsWith(`${file}:91: expected UTF-8`), error.message);
      }
    });
  }
});

text.run();

const json = suite('corpus: JSON lines');

json('the field that is asked for, in parts of any size', async () => {
  const texts = [...makeTexts(30, 80, new TestRandom(3)), 'a\n\nb', '\ud800 alone', 'x '.repeat(70_000)];
  const lines = texts.map((body, i) => JSON.stringify({ id: i, body, text: 'not this' }));
  const content = `${lines.join('\n')}\n\n{"body": " \\n"}\n`;
  for (const name of ['a.jsonl', 'a.jsonl.gz', 'a.ndjson']) {
    await withFile(name, name.endsWith('.gz') ? gzipSync(content) : content, async (file) => {
      for (const step of [10, 100, 5000, Infinity]) {
        for (const readers of [1, 2]) {
          assert.equal(await documentsOf(file, { field: 'body', step, readers }), texts, `${name}: ${step}`);
        }
      }
    });
  }
});

json('a broken line, a missing field and another type are named with file and line', async () => {
  const cases: [line: string, expected: RegExp][] = [
    ['{"text": "cut o', /expected a JSON object, found what is none/],
    ['{"Text": "x", "b": 1}', /expected the field "text", found "Text", "b"; .*`field`/],
    ['{}', /expected the field "text", found no field/],
    ['{"text": null}', /expected a string in the field "text", found null/],
    ['{"text": ["x"]}', /expected a string in the field "text", found an array/],
    ['["text"]', /expected a JSON object with the field "text", found an array/],
    ['"text"', /expected a JSON object with the field "text", found a string/],
    ['{"__proto__": {"text": "x"}}', /expected the field "text", found "__proto__"/],
  ];
  for (const [line, expected] of cases) {
    await withFile('a.jsonl', `{"text": "fine"}\n\n{"text": "fine"}\n${line}\n`, async (file) => {
      for (const step of [Infinity, 20]) {
        const error = await errorOf(documentsOf(file, { step }));
        assert.is(error.code, 'GLM_DATA');
        assert.ok(error.message.startsWith(`${file}:4: `), error.message);
        assert.match(error.message, expected);
      }
    });
  }
});

json('a packed file that is cut off or none is GLM_DATA', async () => {
  const packed = gzipSync(
    Array.from({ length: 2000 }, (_, i) => JSON.stringify({ text: `line ${i * i}` })).join('\n'),
  );
  for (const content of [packed.subarray(0, packed.length >> 1), Buffer.from('{"text": "plain"}\n')]) {
    await withFile('a.jsonl.gz', content, async (file) => {
      const error = await errorOf(documentsOf(file));
      assert.is(error.code, 'GLM_DATA');
      assert.match(error.message, /gzip/);
    });
  }
});

json.run();

const parquet = suite('corpus: Parquet files');
const rows = makeTexts(250, 80, new TestRandom(4));

function parquetFile(texts: (string | null)[], options: object = {}): Uint8Array {
  const columnData = [
    { name: 'id', data: texts.map((_, i) => i), type: 'INT32' as const },
    { name: 'body', data: texts, type: 'STRING' as const },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 60, ...options }));
}

parquet('a column, row group by row group', async () => {
  for (const [name, pack] of [
    ['a.parquet', (x: Uint8Array) => x] as const,
    ['a.parquet.gz', gzipSync] as const,
  ]) {
    await withFile(name, pack(parquetFile(rows)), async (file) => {
      for (const step of [1, 2, Infinity]) {
        assert.equal(await documentsOf(file, { field: 'body', step, readers: 2 }), rows, `${name}: ${step}`);
      }
    });
  }
});

parquet('other columns, missing texts and other files are GLM_DATA', async () => {
  await withFile('a.parquet', parquetFile(rows), async (file) => {
    const error = await errorOf(documentsOf(file));
    assert.is(error.code, 'GLM_DATA');
    assert.match(error.message, /expected the column "text", found "id", "body"; .*`field`/);
    assert.match(
      (await errorOf(documentsOf(file, { field: 'id' }))).message,
      /row 1: expected a string .* found number/,
    );
  });
  await withFile('a.parquet', parquetFile([...rows.slice(0, 99), null]), async (file) => {
    const error = await errorOf(documentsOf(file, { field: 'body' }));
    assert.is(error.code, 'GLM_DATA');
    assert.match(error.message, /row 100: expected a string in the column "body", found null/);
  });
  const whole = parquetFile(rows);
  for (const content of [
    Buffer.from('no Parquet at all'),
    whole.subarray(0, whole.length - 100),
    Buffer.alloc(0),
  ]) {
    await withFile('a.parquet', content, async (file) => {
      const error = await errorOf(documentsOf(file, { field: 'body' }));
      assert.is(error.code, 'GLM_DATA', error.stack);
      assert.ok(error.message.startsWith(file), error.message);
    });
  }
});

parquet.run();
