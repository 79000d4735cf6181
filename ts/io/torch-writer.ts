/** Writes files that `torch.load(file, weights_only=True)` reads: a pickle of plain values and tensors, and their storages. */

import { elementCount } from '../shape.js';
import { writeFileAtomically } from '../files.js';
import type { ElementType } from './element-type.js';
import { rowMajor } from './file-array.js';
import type { TensorToWrite } from './safetensors.js';
import { ZipWriter } from './zip-writer.js';

/** Numbers are integers; an array becomes a tuple, a Map a dictionary. */
export type TorchValue =
  null | boolean | number | string | readonly TorchValue[] | ReadonlyMap<string, TorchValue> | TensorToWrite;

const storageClasses: Partial<Record<ElementType, string>> = {
  F64: 'DoubleStorage',
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
};

/** Writes a file atomically, one tensor in memory at a time. Throws `GLM_IO`. */
export async function writeTorchFile(file: string, value: TorchValue): Promise<void> {
  const pickle = new Pickler();
  const data = pickle.pickle(value);
  await writeFileAtomically(file, async (handle) => {
    const archive = new ZipWriter(handle);
    await archive.add('archive/data.pkl', data);
    await archive.add('archive/byteorder', Buffer.from('little'));
    for (const [key, tensor] of pickle.tensors.entries()) {
      await archive.add(`archive/data/${key}`, await tensor.bytes());
    }
    await archive.add('archive/version', Buffer.from('3\n'));
    await archive.finish();
  });
}

/** The opcodes of protocol 2 that are needed; see pickle.ts. */
class Pickler {
  readonly tensors: TensorToWrite[] = [];
  readonly #pieces: Buffer[] = [];

  pickle(value: TorchValue): Buffer {
    this.#write('\x80\x02');
    this.#value(value);
    this.#write('.');
    return Buffer.concat(this.#pieces);
  }

  #value(value: TorchValue): void {
    if (value === null) this.#write('N');
    else if (typeof value === 'boolean') this.#write(value ? '\x88' : '\x89');
    else if (typeof value === 'number') this.#integer(value);
    else if (typeof value === 'string') this.#text(value);
    else if (value instanceof Map) this.#dictionary(value as ReadonlyMap<string, TorchValue>);
    else if (Array.isArray(value)) this.#tuple(value as readonly TorchValue[]);
    else this.#tensor(value as TensorToWrite);
  }

  #integer(value: number): void {
    const wide = value < -(2 ** 31) || value >= 2 ** 31;
    const bytes = Buffer.alloc(wide ? 10 : 5);
    bytes.write(wide ? '\x8a\x08' : 'J', 'latin1');
    if (wide) bytes.writeBigInt64LE(BigInt(value), 2);
    else bytes.writeInt32LE(value, 1);
    this.#pieces.push(bytes);
  }

  #text(value: string): void {
    const text = Buffer.from(value);
    const head = Buffer.from('X\0\0\0\0', 'latin1');
    head.writeUInt32LE(text.length, 1);
    this.#pieces.push(head, text);
  }

  #tuple(values: readonly TorchValue[]): void {
    this.#write('(');
    for (const value of values) this.#value(value);
    this.#write('t');
  }

  #dictionary(map: ReadonlyMap<string, TorchValue>): void {
    this.#write('}(');
    for (const [key, value] of map) {
      this.#text(key);
      this.#value(value);
    }
    this.#write('u');
  }

  /** _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks) */
  #tensor(tensor: TensorToWrite): void {
    const { type, shape } = tensor;
    const storage = storageClasses[type];
    if (storage === undefined) throw new RangeError(`no storage class for ${type}`);
    this.#write('ctorch._utils\n_rebuild_tensor_v2\n((');
    this.#text('storage');
    this.#write(`ctorch\n${storage}\n`);
    this.#text(String(this.tensors.length));
    this.#text('cpu');
    this.#integer(elementCount(shape));
    this.#write('tQ');
    this.#integer(0);
    this.#tuple(shape);
    this.#tuple(rowMajor(shape));
    this.#write('\x89ccollections\nOrderedDict\n)RtR');
    this.tensors.push(tensor);
  }

  #write(opcodes: string): void {
    this.#pieces.push(Buffer.from(opcodes, 'latin1'));
  }
}
