/** Damaged and hostile versions of files, each a function of a number. */

import { TestRandom } from './random.js';

export interface Mutated {
  kind: string;
  bytes: Buffer;
  /** Whether it must be refused; damage to a weight's own bytes cannot be seen. */
  mustFail: boolean;
}

export interface Seeds {
  safetensors: Buffer;
  torch: Buffer;
  legacy: Buffer;
}

type Mutation = (random: TestRandom, seeds: Seeds) => Omit<Mutated, 'kind'>;

/** The `index`-th one. */
export function mutate(index: number, seeds: Seeds): Mutated {
  const random = new TestRandom(index * 2 + 1);
  const [kind, mutation] = mutations[index % mutations.length] as [string, Mutation];
  return { kind, ...mutation(random, seeds) };
}

const mutations: [string, Mutation][] = [
  ['truncated', truncated],
  ['flipped bits', flippedBits],
  ['wild lengths', wildNumbers],
  ['pieces moved', movedPieces],
  ['header of safetensors', wildHeader],
  ['hostile pickle', hostilePickle],
  ['zip directory', wildDirectory],
  ['noise', noise],
];

function anySeed(random: TestRandom, seeds: Seeds): Buffer {
  return Buffer.from([seeds.safetensors, seeds.torch, seeds.legacy][random.below(3)] as Buffer);
}

function truncated(random: TestRandom, seeds: Seeds) {
  const bytes = anySeed(random, seeds);
  return { bytes: bytes.subarray(0, random.below(bytes.length)), mustFail: true };
}

function flippedBits(random: TestRandom, seeds: Seeds) {
  const bytes = anySeed(random, seeds);
  // Most of a file is weights; half of the flips are where they count.
  const edge = random.below(2) === 0 ? bytes.length : Math.min(bytes.length, 3000);
  for (let i = random.below(8); i >= 0; i--) {
    const at = random.below(2) === 0 ? random.below(edge) : bytes.length - 1 - random.below(edge);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at);
  }
  return { bytes, mustFail: false };
}

const extremes = [
  '00',
  'ff',
  '7f',
  '80',
  '01',
  '00000080',
  'ffffff7f',
  '00000000000020',
  'ffffffffffffff7f',
  'fffffffffffffffe',
];

function wildNumbers(random: TestRandom, seeds: Seeds) {
  const bytes = anySeed(random, seeds);
  for (let i = random.below(3); i >= 0; i--) {
    let wild = Buffer.from(extremes[random.below(extremes.length)] as string, 'hex');
    if (wild.length === 1) wild = Buffer.alloc(1 << random.below(4), wild);
    const edge = Math.min(bytes.length, 3000);
    const at = random.below(2) === 0 ? random.below(edge) : bytes.length - 1 - random.below(edge);
    wild.copy(bytes, at);
  }
  return { bytes, mustFail: false };
}

function movedPieces(random: TestRandom, seeds: Seeds) {
  const bytes = anySeed(random, seeds);
  const length = 1 + random.below(Math.min(bytes.length, 400));
  const [from, to] = [random.below(bytes.length - length + 1), random.below(bytes.length - length + 1)];
  if (random.below(2) === 0) bytes.copy(bytes, to, from, from + length);
  else {
    const piece = bytes.subarray(from, from + length);
    return { bytes: Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]), mustFail: false };
  }
  return { bytes, mustFail: false };
}

type Entry = { dtype: unknown; shape: unknown; data_offsets: unknown };

/** Valid JSON that lies about tensors. */
function wildHeader(random: TestRandom, { safetensors }: Seeds) {
  const length = Number(safetensors.readBigUInt64LE());
  const header = JSON.parse(safetensors.toString('utf8', 8, 8 + length)) as Record<string, Entry>;
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  const entry = header[names[random.below(names.length)] as string] as Entry;
  const other = header[names[random.below(names.length)] as string] as Entry;
  const wild = [-1, 1e300, 2 ** 53, 2 ** 31, 0.5, null, 'x', [], {}, true][random.below(10)];
  switch (random.below(6)) {
    case 0:
      entry.data_offsets = other === entry ? [0, 0] : other.data_offsets;
      break;
    case 1:
      entry.data_offsets = [wild, wild];
      break;
    case 2:
      entry.shape = [wild, 2 ** 40];
      break;
    case 3:
      entry.shape = wild;
      break;
    case 4:
      entry.dtype = wild;
      break;
    default:
      header[names[0] as string] = wild as Entry;
  }
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return { bytes: Buffer.concat([prefix, json, safetensors.subarray(8 + length)]), mustFail: true };
}

const classes = ['os\nsystem', 'builtins\neval', 'subprocess\nPopen', 'torch\nload', 'nt\nsystem', '__builtin__\ngetattr', 'runpy\n_run_code', 'torch.hub\nload']; // prettier-ignore
const opcodes =
  '()]}.N0123KJMXBTUqrhjtRbQcoilsuead\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95';

/** A program in the old format, which begins with its magic number and version. */
function hostilePickle(random: TestRandom) {
  const magic = '\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02N.';
  let program = '\x80\x02';
  if (random.below(2) === 0) {
    const name = classes[random.below(classes.length)] as string;
    program += `c${name}\n(X\x04\0\0\0trueX\x04\0\0\0truetR.`;
  } else {
    for (let i = random.below(60); i >= 0; i--) {
      program += opcodes[random.below(opcodes.length)] as string;
      if (random.below(4) === 0) program += String.fromCharCode(random.below(256));
    }
  }
  return { bytes: Buffer.from(magic + program, 'latin1'), mustFail: true };
}

/** Entries that are compressed, overlap, lie outside, or pretend to be large. */
function wildDirectory(random: TestRandom, { torch }: Seeds) {
  const bytes = Buffer.from(torch);
  const entries: number[] = [];
  for (
    let at = bytes.indexOf('PK\x01\x02', 0, 'latin1');
    at >= 0;
    at = bytes.indexOf('PK\x01\x02', at + 4, 'latin1')
  ) {
    entries.push(at);
  }
  // Not the version, which says nothing about weights.
  const at = entries[random.below(entries.length - 1)] as number;
  const wild = [0xffffffff, 0x7fffffff, bytes.length, 0][random.below(4)] as number;
  switch (random.below(4)) {
    case 0:
      bytes.writeUInt16LE(8, at + 10); // deflated
      break;
    case 1:
      bytes.writeUInt32LE(wild, at + 24);
      break;
    case 2:
      bytes.writeUInt32LE(wild, at + 20);
      bytes.writeUInt32LE(wild, at + 24);
      break;
    default:
      bytes.writeUInt32LE(wild === 0 ? 1 : wild, at + 42);
  }
  return { bytes, mustFail: !bytes.equals(torch) };
}

function noise(random: TestRandom) {
  const starts = ['', 'PK\x03\x04', '\x80\x02', '\x10\0\0\0\0\0\0\0{'];
  const start = Buffer.from(starts[random.below(starts.length)] as string, 'latin1');
  const rest = Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256)));
  return { bytes: Buffer.concat([start, rest]), mustFail: true };
}
