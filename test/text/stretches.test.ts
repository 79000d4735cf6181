import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { stretches } from '../../ts/text/stretches.js';

const cutting = suite('text: cutting long text');

cutting('gives the text back, in parts that start with a single space between words', () => {
  for (const text of [
    '',
    'short text',
    'word   word \n word '.repeat(20_000),
    'a  b'.repeat(50_000) + ' c',
    'x'.repeat(200_000),
  ]) {
    const parts = [...stretches(text)];
    assert.ok(parts.join('') === text);
    for (const [i, part] of parts.slice(1).entries()) {
      assert.match(part.slice(0, 2), /^ \S$/);
      assert.match(parts[i]!.slice(-1), /^\S$/);
    }
  }
  assert.ok([...stretches('some words '.repeat(50_000))].every((part) => part.length < 70_000));
});

cutting.run();
