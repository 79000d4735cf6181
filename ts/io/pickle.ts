/**
 * Reads pickles without running anything. A pickle is a program for a small stack machine; the values it may build here
 * are plain ones, and objects of the classes that the caller knows. Any other class is refused by its name.
 * Source: the opcodes and their meaning are documented in CPython's Lib/pickletools.py.
 */

import { GlmError } from '../errors.js';
import { corrupt } from './input-file.js';

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleObject
  | PickleClass;

/** An object of a class that the caller knows. */
export abstract class PickleObject {
  /** Takes what a pickle sets on the object. */
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  setState(state: PickleValue): void {}
}

/** A class by its name, with what calling it gives. */
export class PickleClass {
  readonly name: string;
  readonly create: (args: PickleValue[]) => PickleValue;

  constructor(name: string, create: (args: PickleValue[]) => PickleValue) {
    this.name = name;
    this.create = create;
  }
}

export interface PickleVocabulary {
  file: string;
  /** The class that a name means, or undefined to refuse it. */
  find(name: string): PickleClass | undefined;
  /** The object that lies outside the pickle. */
  persistent(id: PickleValue): PickleValue;
}

/** A tensor takes about thirty; this bounds the memory that a hostile pickle can take to some 20 MB. */
const mostOperations = 2 ** 17;
const longestInteger = 1024;

/** Reads the pickle that begins at `begin`; `end` is behind it. Throws `GLM_CORRUPT_FILE`, `GLM_CHECKPOINT_FORMAT`. */
export function unpickle(
  bytes: Buffer,
  begin: number,
  vocabulary: PickleVocabulary,
): { value: PickleValue; end: number } {
  const machine = new Unpickler(bytes, begin, vocabulary);
  const value = machine.run();
  return { value, end: machine.at };
}

const mark = Symbol('mark');

class Unpickler {
  at: number;
  readonly #bytes: Buffer;
  readonly #vocabulary: PickleVocabulary;
  readonly #memo = new Map<number, PickleValue>();
  #stack: (PickleValue | typeof mark)[] = [];

  constructor(bytes: Buffer, begin: number, vocabulary: PickleVocabulary) {
    this.#bytes = bytes;
    this.at = begin;
    this.#vocabulary = vocabulary;
  }

  run(): PickleValue {
    for (let count = 0; count < mostOperations; count++) {
      const opcode = String.fromCharCode(this.#take(1)[0] as number);
      if (opcode === '.') return this.#pop();
      const operation = operations.get(opcode);
      if (operation === undefined)
        throw this.#corrupt(`an operation ${JSON.stringify(opcode)} at ${this.at - 1}`);
      operation(this);
    }
    throw this.#corrupt(`more than ${mostOperations} operations`);
  }

  // ---- reading arguments

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.at) throw this.#corrupt(`its end ${length} bytes early`);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  uint(width: 1 | 2 | 4): number {
    return this.#take(width).readUIntLE(0, width);
  }

  int32(): number {
    return this.#take(4).readInt32LE();
  }

  double(): number {
    return this.#take(8).readDoubleBE();
  }

  /** A length of 8 bytes. */
  uint64(): number {
    const value = this.#take(8).readBigUInt64LE();
    if (value > BigInt(this.#bytes.length)) throw this.#corrupt(`a length of ${value} bytes`);
    return Number(value);
  }

  text(length: number): string {
    return this.#take(length).toString('utf8');
  }

  data(length: number): Uint8Array {
    return Uint8Array.from(this.#take(length));
  }

  line(): string {
    const end = this.#bytes.indexOf(10, this.at);
    if (end < 0) throw this.#corrupt('a line without an end');
    const line = this.text(end - this.at);
    this.at++;
    return line;
  }

  /** Two's complement, the lowest byte first. */
  integer(length: number): number | bigint {
    if (length > longestInteger) throw this.#corrupt(`an integer of ${length} bytes`);
    const bytes = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
    value = BigInt.asIntN(8 * length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  // ---- the stack

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  mark(): void {
    this.#stack.push(mark);
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === mark) throw this.#corrupt('a value too few');
    return value;
  }

  /** What lies above the topmost mark; takes both away. */
  popToMark(): PickleValue[] {
    const begin = this.#stack.lastIndexOf(mark);
    if (begin < 0) throw this.#corrupt('a mark too few');
    return this.#stack.splice(begin).slice(1) as PickleValue[];
  }

  popValues(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  discard(): void {
    if (this.#stack.pop() === undefined) throw this.#corrupt('a value too few');
  }

  #top(): PickleValue {
    const value = this.#pop();
    this.push(value);
    return value;
  }

  remember(index: number): void {
    this.#memo.set(index, this.#top());
  }

  rememberNext(): void {
    this.remember(this.#memo.size);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#corrupt(`a value ${index} that was never stored`);
    this.push(value);
  }

  // ---- building values

  append(values: readonly PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#corrupt('items for something that is not a list');
    for (const value of values) list.push(value);
  }

  add(values: readonly PickleValue[]): void {
    const set = this.#top();
    if (!(set instanceof Set)) throw this.#corrupt('items for something that is not a set');
    for (const value of values) set.add(value);
  }

  setItems(items: readonly PickleValue[]): void {
    const map = this.#top();
    if (!(map instanceof Map)) throw this.#corrupt('items for something that is not a dictionary');
    if (items.length % 2 !== 0) throw this.#corrupt('a key without a value');
    for (let i = 0; i < items.length; i += 2) map.set(items[i] as PickleValue, items[i + 1] as PickleValue);
  }

  /** Pushes a class. */
  global(module: string, name: string): void {
    const known = this.#vocabulary.find(`${module}.${name}`);
    if (known === undefined) {
      throw new GlmError(
        'GLM_CHECKPOINT_FORMAT',
        `${this.#vocabulary.file}: expected tensors and plain values, found ${JSON.stringify(`${module}.${name}`)}, which is ` +
          'refused (nothing in a file is ever run); save the weights alone, as a state dict',
      );
    }
    this.push(known);
  }

  stackGlobal(): void {
    const [module, name] = this.popValues(2);
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#corrupt('a class without a name');
    this.global(module, name);
  }

  /** Calls a class with a tuple of arguments. */
  call(): void {
    const [callee, args] = this.popValues(2);
    if (!(callee instanceof PickleClass) || !Array.isArray(args))
      throw this.#corrupt('a call of something that is not a class');
    this.push(callee.create(args));
  }

  build(): void {
    const state = this.#pop();
    const object = this.#top();
    // An ordered dictionary's attributes (`_metadata` of a state dict) say nothing about weights.
    if (object instanceof Map) return;
    if (!(object instanceof PickleObject)) throw this.#corrupt('a state for something that has none');
    object.setState(state);
  }

  persistent(): void {
    this.push(this.#vocabulary.persistent(this.#pop()));
  }

  #corrupt(found: string): GlmError {
    return corrupt(this.#vocabulary.file, `expected a pickle, found ${found}`);
  }
}

type Operation = (machine: Unpickler) => void;

const operations = new Map<string, Operation>([
  ['\x80', (m) => m.uint(1)], // protocol
  ['\x95', (m) => m.uint64()], // frame
  ['(', (m) => m.mark()],
  ['0', (m) => m.discard()],
  ['1', (m) => m.popToMark()],
  ['N', (m) => m.push(null)],
  ['\x88', (m) => m.push(true)],
  ['\x89', (m) => m.push(false)],
  ['J', (m) => m.push(m.int32())],
  ['K', (m) => m.push(m.uint(1))],
  ['M', (m) => m.push(m.uint(2))],
  ['\x8a', (m) => m.push(m.integer(m.uint(1)))],
  ['\x8b', (m) => m.push(m.integer(m.uint(4)))],
  ['G', (m) => m.push(m.double())],
  ['X', (m) => m.push(m.text(m.uint(4)))],
  ['\x8c', (m) => m.push(m.text(m.uint(1)))],
  ['\x8d', (m) => m.push(m.text(m.uint64()))],
  ['T', (m) => m.push(m.text(m.uint(4)))],
  ['U', (m) => m.push(m.text(m.uint(1)))],
  ['B', (m) => m.push(m.data(m.uint(4)))],
  ['C', (m) => m.push(m.data(m.uint(1)))],
  ['\x8e', (m) => m.push(m.data(m.uint64()))],
  ['}', (m) => m.push(new Map())],
  [']', (m) => m.push([])],
  [')', (m) => m.push([])],
  ['\x8f', (m) => m.push(new Set())],
  ['t', (m) => m.push(m.popToMark())],
  ['l', (m) => m.push(m.popToMark())],
  ['\x85', (m) => m.push(m.popValues(1))],
  ['\x86', (m) => m.push(m.popValues(2))],
  ['\x87', (m) => m.push(m.popValues(3))],
  [
    'd',
    (m) => {
      const items = m.popToMark();
      m.push(new Map());
      m.setItems(items);
    },
  ],
  ['a', (m) => m.append(m.popValues(1))],
  ['e', (m) => m.append(m.popToMark())],
  ['\x90', (m) => m.add(m.popToMark())],
  ['s', (m) => m.setItems(m.popValues(2))],
  ['u', (m) => m.setItems(m.popToMark())],
  ['q', (m) => m.remember(m.uint(1))],
  ['r', (m) => m.remember(m.uint(4))],
  ['\x94', (m) => m.rememberNext()],
  ['h', (m) => m.recall(m.uint(1))],
  ['j', (m) => m.recall(m.uint(4))],
  ['c', (m) => m.global(m.line(), m.line())],
  ['\x93', (m) => m.stackGlobal()],
  ['R', (m) => m.call()],
  ['\x81', (m) => m.call()], // a new object of a class
  ['b', (m) => m.build()],
  ['Q', (m) => m.persistent()],
]);
