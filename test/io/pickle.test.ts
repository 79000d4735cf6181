import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { GlmError } from '../../ts/errors.js';
import { type PickleValue, unpickle } from '../../ts/io/pickle.js';

const test = suite('pickles');

function read(pickle: string): PickleValue {
  const nothing = { file: 'a file', find: () => undefined, persistent: () => null };
  return unpickle(Buffer.from(pickle, 'latin1'), 0, nothing).value;
}

function refused(pickle: string, code: string, message: RegExp): void {
  let error: unknown;
  try {
    read(pickle);
  } catch (thrown) {
    error = thrown;
  }
  assert.instance(error, GlmError, JSON.stringify(pickle));
  assert.is((error as GlmError).code, code);
  assert.match((error as GlmError).message, message);
}

test('classes are refused by their name, however they are named', () => {
  const code = 'GLM_CHECKPOINT_FORMAT';
  refused('\x80\x02cos\nsystem\nX\x04\0\0\0trueR.', code, /os\.system/);
  refused('\x80\x04\x8c\x08builtins\x8c\x04eval\x93.', code, /builtins\.eval/);
  refused('\x80\x02c__builtin__\n__proto__\n.', code, /__proto__/);
  refused('\x80\x02ctorch\nload\n.', code, /torch\.load/);
});

test('operations that run code or are of no use are not known', () => {
  for (const pickle of ['ios\nsystem\n.', '(cos\nsystem\no.', '\x80\x02\x82\x01.', 'S"text"\n.', 'Pid\n.']) {
    assert.throws(
      () => read(pickle),
      (error: unknown) => error instanceof GlmError,
      JSON.stringify(pickle),
    );
  }
});

test('wild lengths, missing values and endless programs are refused', () => {
  const code = 'GLM_CORRUPT_FILE';
  refused('\x80\x02X\xff\xff\xff\xff.', code, /early/);
  refused('\x80\x02\x8b\xff\xff\xff\x7f.', code, /integer/);
  refused('\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.', code, /length/);
  refused('\x80\x02', code, /early/);
  refused('\x80\x02.', code, /too few/);
  refused('\x80\x02t.', code, /mark/);
  refused('\x80\x02h\x05.', code, /never stored/);
  refused('\x80\x02}(Nu.', code, /without a value/);
  refused('\x80\x02K\x01a.', code, /too few|not a list/);
  refused('\x80\x02K\x01)R.', code, /not a class/);
  refused(`\x80\x02${']'.repeat(2 ** 20)}.`, code, /more than/);
});

test('keys of dictionaries do not reach prototypes', () => {
  const value = read('\x80\x02}X\x09\0\0\0__proto__K\x01s.') as Map<PickleValue, PickleValue>;
  assert.is(value.get('__proto__'), 1);
  assert.is(({} as Record<string, unknown>)['__proto__'], Object.prototype);
});

test.run();
