/** Texts before they are scored, against results worked out by hand. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { detokenizeCnnDm, detokenizeGigaword } from '../../../ts/tasks/seq2seq/detokenize.js';
import { joinWords, withoutRepeats } from '../../../ts/tasks/seq2seq/post-process.js';

const texts = suite('tasks: texts before scoring');

texts('word pieces are joined to words', () => {
  const joined = (text: string, expected: string) => assert.is(joinWords(text), expected);
  joined('" no , " he said', "`` no , '' he said");
  joined("it ' s what they don ' t like , he ' ll say", "it 's what they do n't like , he 'll say");
  joined("the ' old ' man", "the ` old ' man");
  joined('$ 3 , 000 and 1 , 000 , 000', '$ 3,000 and 1,000,000');
  joined('3 . 03 %', '3.03 %');
  joined('wait . . . now', 'wait ... now');
  joined('the u . n . said', 'the u.n. said');
  joined('the u . s . a . said .', 'the u.s.a. said .');
  joined('a well - known man - - he', 'a well-known man -- he');
  joined('- a ( - b', '- a ( - b');
  joined('it ended .', 'it ended .');
});

texts('short and repeated sentences do not count', () => {
  const first = 'the cat sat on the mat .';
  assert.equal(withoutRepeats([first, 'too short a one', 'The cat sat on a mat .', 'a dog came into the house']), [
    first,
    'a dog came into the house',
  ]); // prettier-ignore
  // Five of seven words are new: 2/7 were there.
  assert.equal(withoutRepeats([first, 'the cat ran far away from home']).length, 2);
});

texts('data sets as people write', () => {
  assert.is(
    detokenizeCnnDm("-LRB- CNN -RRB- He `ran'' n't “say” it 's 1990–91"),
    `( CNN ) He 'ran"n't "say" it's 1990-91`,
  );
  assert.is(detokenizeGigaword('UNK -lsb- a -rsb- &lt; <unk> &amp;'), '[UNK] [ a ] < [UNK] &');
});

texts.run();
