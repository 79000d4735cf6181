/** Files of 32 MiB that ask for more memory than they have bytes. */

import { deflateRawSync } from 'node:zlib';

export const hostileSize = 32 * 2 ** 20;
const magic = Buffer.from(
  '\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02N.\x80\x02',
  'latin1',
);

/** An archive of one entry whose header says what it likes. */
function archive(name: string, contents: Buffer, method: number, fullSize: number): Buffer {
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(method, 8);
  local.writeUInt16LE(name.length, 26);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(method, 10);
  entry.writeUInt32LE(contents.length, 20);
  entry.writeUInt32LE(fullSize, 24);
  entry.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(46 + name.length, 12);
  end.writeUInt32LE(30 + name.length + contents.length, 16);
  return Buffer.concat([local, Buffer.from(name), contents, entry, Buffer.from(name), end]);
}

/** A directory as long as one may be, of entries that are not there. */
function wideDirectory(): Buffer {
  const count = 0xffff;
  const entries = Array.from({ length: count }, (_, i) => {
    const name = String(i).padStart(200, 'x');
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(name.length, 28);
    entry.write(name, 46);
    return entry;
  });
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(hostileSize, 16);
  return Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(hostileSize - 4), directory, end]);
}

function header(json: string, data: number): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([prefix, Buffer.from(json), Buffer.alloc(data)]);
}

/** Every parameter of a large model in the same bytes. */
function aliases(): Buffer {
  const tensor = (elements: number) =>
    `ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ${int(elements)}tQK\0J${int(1024)}J${int(1024)}\x86J${int(1024)}K\x01\x86\x89}tR`;
  const elements = hostileSize / 4;
  let items = '';
  for (let i = 0; i < 200; i++) {
    const name = i === 0 ? 'word_embeddings.weight' : `transformer.layers.${i}.attention.dense.weight`;
    items += `X${int(name.length)}${name}${tensor(elements)}`;
  }
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(elements));
  return Buffer.concat([
    magic,
    Buffer.from(`}(${items}u.\x80\x02]X\x01\0\0\x000a.`, 'latin1'),
    count,
    Buffer.alloc(hostileSize),
  ]);
}

function int(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes.toString('latin1');
}

/** By what is wrong with them. */
export const hostileFiles: Record<string, () => Buffer> = {
  lists: () => Buffer.concat([magic, Buffer.alloc(hostileSize, ']')]),
  text: () => Buffer.concat([magic, Buffer.alloc(hostileSize, 'X\x01\0\0\0aq\x01')]),
  directory: wideDirectory,
  header: () => header('['.repeat(2 ** 20), hostileSize),
  names: () =>
    header(JSON.stringify(Object.fromEntries(Array.from({ length: 80000 }, (_, i) => [i, []]))), hostileSize),
  aliases,
  bomb: () => {
    const packed = deflateRawSync(Buffer.alloc(2 ** 26));
    const filled = Buffer.concat([packed, Buffer.alloc(hostileSize - packed.length)]);
    return archive('archive/data.pkl', filled, 8, 0xfffffff0);
  },
};
