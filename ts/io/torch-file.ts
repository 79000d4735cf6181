/**
 * Files of `torch.save`: a pickle whose tensors refer to storages that lie beside it. Since PyTorch 1.6 a zip archive
 * (`data.pkl`, `data/0`, `data/1`, …); before that, pickles and storages one behind the other.
 * Source: torch/serialization.py and torch/_utils.py of PyTorch.
 */

import { GlmError } from '../errors.js';
import { elementCount } from '../shape.js';
import { elementBytes, type ElementType } from './element-type.js';
import type { FileArray } from './file-array.js';
import { corrupt, type InputFile } from './input-file.js';
import { PickleClass, PickleObject, type PickleValue, unpickle } from './pickle.js';
import { ZipFile, type ZipRange } from './zip.js';

/** A storage's name, type and number of elements. */
class TorchStorage extends PickleObject {
  readonly key: string;
  readonly type: ElementType;
  readonly elements: number;

  constructor(key: string, type: ElementType, elements: number) {
    super();
    this.key = key;
    this.type = type;
    this.elements = elements;
  }
}

/** A tensor: a view into a storage. */
export class TorchTensor extends PickleObject {
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    super();
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** Something that a training state holds and nothing here needs; its contents are dropped. */
export class Unused extends PickleObject {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

const storageTypes: Readonly<Record<string, ElementType>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** Random states, loss scalers and arguments that the original and DeepSpeed save beside the weights. */
const unusedClasses = new Set([
  'numpy.core.multiarray._reconstruct',
  'numpy._core.multiarray._reconstruct',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  'numpy.ndarray',
  'numpy.dtype',
  '_codecs.encode',
  'argparse.Namespace',
  'fp16.loss_scaler.LossScaler',
  'fp16.loss_scaler.DynamicLossScaler',
  'deepspeed.runtime.fp16.loss_scaler.LossScaler',
  'deepspeed.runtime.fp16.loss_scaler.DynamicLossScaler',
]);

const longestPickle = 64 * 2 ** 20;
const mostDimensions = 8;
/** What an old file begins with: the magic number and the format's version, each a pickle. */
const legacy = { magic: 0x1950a86a20f9469cfc6cn, version: 1001 };

/** An open file of `torch.save`. */
export class TorchFile {
  readonly file: InputFile;
  /** What was saved. */
  readonly root: PickleValue;
  readonly #storageRange: (key: string) => Promise<ZipRange>;

  private constructor(file: InputFile, root: PickleValue, storageRange: (key: string) => Promise<ZipRange>) {
    this.file = file;
    this.root = root;
    this.#storageRange = storageRange;
  }

  /** Throws `GLM_IO`, `GLM_CORRUPT_FILE`, and `GLM_CHECKPOINT_FORMAT` for anything but tensors and plain values. */
  static async open(file: InputFile): Promise<TorchFile> {
    const start = await file.read(0, Math.min(file.size, 2));
    return start.toString('latin1') === 'PK' ? openArchive(file) : openLegacy(file);
  }

  /** @internal */
  static make(
    file: InputFile,
    root: PickleValue,
    storageRange: (key: string) => Promise<ZipRange>,
  ): TorchFile {
    return new TorchFile(file, root, storageRange);
  }

  /** Where a tensor of this file lies. Throws `GLM_CORRUPT_FILE`. */
  async locate({ storage, offset, shape, strides }: TorchTensor): Promise<FileArray> {
    const { begin, size } = await this.#storageRange(storage.key);
    const bytes = elementBytes[storage.type];
    if (storage.elements * bytes !== size) {
      throw corrupt(
        this.file.path,
        `expected the storage ${storage.key} to be ${storage.elements} elements of ${storage.type}, found ${size} bytes`,
      );
    }
    return { file: this.file, type: storage.type, shape, strides, begin: begin + offset * bytes };
  }
}

async function openArchive(file: InputFile): Promise<TorchFile> {
  const archive = await ZipFile.open(file);
  const pickles = archive.names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new GlmError(
      'GLM_CHECKPOINT_FORMAT',
      `${file.path}: expected an archive that torch.save wrote, with one data.pkl, found ${pickles.length} of them; ` +
        'a TorchScript or other zip file is no checkpoint',
    );
  }
  const pickle = pickles[0] as string;
  const folder = pickle.slice(0, -'data.pkl'.length);
  if (archive.names.includes(`${folder}byteorder`)) {
    const order = (await archive.read(`${folder}byteorder`)).toString('latin1');
    if (order !== 'little') throw wrongByteOrder(file, order);
  }
  const { size } = await archive.locate(pickle);
  if (size > longestPickle)
    throw corrupt(file.path, `expected data.pkl below ${longestPickle} bytes, found ${size}`);
  const { value } = unpickle(await archive.read(pickle), 0, vocabulary(file));
  return TorchFile.make(file, value, (key) => archive.locate(`${folder}data/${key}`));
}

async function openLegacy(file: InputFile): Promise<TorchFile> {
  const bytes = await file.read(0, Math.min(file.size, longestPickle));
  const storages = new Map<string, TorchStorage>();
  let at = 0;
  const next = (): PickleValue => {
    const { value, end } = unpickle(bytes, at, vocabulary(file, storages));
    at = end;
    return value;
  };
  if (next() !== legacy.magic || next() !== legacy.version)
    throw corrupt(file.path, 'expected a file of torch.save, found another pickle');
  const system = next();
  if (system instanceof Map && system.get('little_endian') !== true) throw wrongByteOrder(file, 'big');
  const root = next();
  const keys = next();
  if (!Array.isArray(keys)) throw corrupt(file.path, 'expected a list of storages, found none');

  const ranges = new Map<string, ZipRange>();
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined)
      throw corrupt(file.path, 'expected storages that tensors refer to, found another');
    const count = (await file.read(at, 8)).readBigUInt64LE();
    const size = storage.elements * elementBytes[storage.type];
    if (count !== BigInt(storage.elements) || at + 8 + size > file.size) {
      throw corrupt(
        file.path,
        `expected ${storage.elements} elements in storage ${storage.key}, found ${count}, or the end of the file`,
      );
    }
    ranges.set(storage.key, { begin: at + 8, size });
    at += 8 + size;
  }
  return TorchFile.make(file, root, (key) => {
    const range = ranges.get(key);
    return range === undefined
      ? Promise.reject(corrupt(file.path, `expected a storage ${key}, found none`))
      : Promise.resolve(range);
  });
}

function wrongByteOrder(file: InputFile, order: string): GlmError {
  return new GlmError(
    'GLM_CHECKPOINT_FORMAT',
    `${file.path}: expected little-endian numbers, found ${JSON.stringify(order.slice(0, 16))}; save it again on another machine`,
  );
}

/** The classes that a file of tensors may name, and the storages it refers to. */
function vocabulary(file: InputFile, storages = new Map<string, TorchStorage>()) {
  const wrong = (what: string, found: unknown) =>
    corrupt(file.path, `expected ${what}, found ${JSON.stringify(found, plainNumbers)?.slice(0, 100)}`);

  const rebuildTensor = (args: PickleValue[]): TorchTensor => {
    const [storage, offset, shape, strides] = args;
    if (
      !(storage instanceof TorchStorage) ||
      !isSize(offset) ||
      !isSizes(shape) ||
      !isSizes(strides) ||
      shape.length !== strides.length
    ) {
      throw corrupt(
        file.path,
        'expected a tensor of storage, offset, shape and strides, found something else',
      );
    }
    // The last element must lie in the storage; a view must not have more elements than there are (stride 0).
    const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), offset);
    const elements = elementCount(shape);
    if (elements > 0 && !(last < storage.elements && elements <= storage.elements)) {
      throw wrong(`a tensor inside its storage of ${storage.elements} elements`, { offset, shape, strides });
    }
    return new TorchTensor(storage, offset, [...shape], [...strides]);
  };

  const classes = new Map<string, (args: PickleValue[]) => PickleValue>([
    ['collections.OrderedDict', ([items]) => orderedDict(items)],
    ['torch._utils._rebuild_tensor_v2', rebuildTensor],
    ['torch._utils._rebuild_tensor', rebuildTensor],
    [
      'torch._utils._rebuild_parameter',
      ([data]) => {
        if (data instanceof TorchTensor) return data;
        throw corrupt(file.path, 'expected a parameter of a tensor, found something else');
      },
    ],
    ['__builtin__.set', ([items]) => new Set(Array.isArray(items) ? items : [])], // as protocol 2 has them
    ['torch.Size', ([sizes]) => sizes ?? null],
    ['torch.device', ([name]) => name ?? null],
  ]);

  const find = (name: string): PickleClass | undefined => {
    const create = classes.get(name);
    if (create !== undefined) return new PickleClass(name, create);
    if (/^torch(\.cuda)?\.\w+Storage$/.test(name) || /^torch\.(bool|(b?float|u?int)\d+)$/.test(name)) {
      return new PickleClass(name, () => new Unused(name));
    }
    if (unusedClasses.has(name)) return new PickleClass(name, () => new Unused(name));
    return undefined;
  };

  /** ('storage', class, key, location, elements) */
  const persistent = (id: PickleValue): TorchStorage => {
    const [kind, type, key, , elements] = Array.isArray(id) ? id : [];
    const name = type instanceof PickleClass ? (type.name.split('.').at(-1) as string) : '';
    if (kind !== 'storage' || typeof key !== 'string' || !isSize(elements) || name === '') {
      throw corrupt(file.path, 'expected a storage with its type, name and size, found something else');
    }
    const elementType = Object.hasOwn(storageTypes, name) ? storageTypes[name] : undefined;
    if (elementType === undefined) {
      throw new GlmError(
        'GLM_CHECKPOINT_FORMAT',
        `${file.path}: expected storages of ${Object.keys(storageTypes).join(', ')}, found ${JSON.stringify(name)}; convert the tensors`,
      );
    }
    const storage = new TorchStorage(key, elementType, elements);
    const known = storages.get(key);
    if (known !== undefined && (known.type !== storage.type || known.elements !== storage.elements)) {
      throw corrupt(file.path, `expected the storage ${key} to have one type and size, found two`);
    }
    storages.set(key, storage);
    return storage;
  };
  return { file: file.path, find, persistent };
}

function orderedDict(items: PickleValue | undefined): PickleValue {
  const map = new Map<PickleValue, PickleValue>();
  if (Array.isArray(items)) {
    for (const item of items) {
      if (Array.isArray(item) && item.length === 2) map.set(item[0] as PickleValue, item[1] as PickleValue);
    }
  }
  return map;
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= mostDimensions && value.every(isSize);
}

function plainNumbers(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
