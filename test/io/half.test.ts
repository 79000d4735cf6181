/** Conversion while reading, against the definitions of the formats. */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { forNative, whole } from '../../ts/checkpoint/weight.js';
import type { ElementType } from '../../ts/io/element-type.js';
import { InputFile } from '../../ts/io/input-file.js';
import { type DType, native } from '../../ts/native.js';
import { withFolder } from '../support/folder.js';

const test = suite('half precision');

async function convert(bits: Uint16Array | Uint32Array, type: ElementType, to: DType): Promise<ArrayBuffer> {
  return withFolder(async (folder) => {
    const name = path.join(folder, 'bits');
    await writeFile(name, new Uint8Array(bits.buffer));
    const file = await InputFile.open(name);
    const array = { file, type, shape: [bits.length], strides: [1], begin: 0 };
    const bytes = await native.readArrays(forNative(whole(array)), to);
    await file.close();
    return bytes.buffer;
  });
}

function float16Value(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

test('every float16 and bfloat16 as float32', async () => {
  const found = new Float32Array(await convert(all, 'F16', 'float32'));
  assert.is(
    all.findIndex((bits, i) => !Object.is(found[i], float16Value(bits))),
    -1,
  );
  const words = Uint32Array.from(all, (bits) => bits << 16);
  assert.equal(new Uint32Array(await convert(all, 'BF16', 'float32')), words);
});

test('a type to itself keeps every bit', async () => {
  assert.equal(new Uint16Array(await convert(all, 'F16', 'float16')), all);
  assert.equal(new Uint16Array(await convert(all, 'BF16', 'bfloat16')), all);
});

test('float32 rounds to the nearest float16, to even between two', async () => {
  const finite = [...all].filter((bits) => (bits & 0x7fff) < 0x7c00 && bits < 0x8000);
  const values: number[] = [];
  const expected: number[] = [];
  for (const [i, bits] of finite.slice(0, -1).entries()) {
    const [low, high] = [float16Value(bits), float16Value(finite[i + 1] as number)];
    const even = bits % 2 === 0 ? bits : bits + 1;
    values.push(
      low,
      (low + high) / 2,
      -(low + high) / 2,
      low + (high - low) * 0.49,
      low + (high - low) * 0.51,
    );
    expected.push(bits, even, even | 0x8000, bits, bits + 1);
  }
  values.push(65519, 65520, 1e30, Infinity);
  expected.push(0x7bff, 0x7c00, 0x7c00, 0x7c00);
  const floats = Float32Array.from(values);
  const found = new Uint16Array(await convert(new Uint32Array(floats.buffer), 'F32', 'float16'));
  assert.equal(found, Uint16Array.from(expected));
});

test.run();
