// A worker thread that encodes: texts in, ids out, in the same order.
import { deserialize } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { Codec } from './codec.js';
import type { TokenizerDefinition } from './definition.js';
import { IdBuffer } from './id-buffer.js';
import { createSubwords } from './create-subwords.js';

/** The ids of several texts one after the other, and how many each has. */
export interface EncodedTexts {
  readonly ids: Int32Array;
  readonly lengths: Int32Array;
}

const port = parentPort!;
const definition = deserialize(new Uint8Array(workerData as SharedArrayBuffer)) as TokenizerDefinition;
const codec = new Codec(createSubwords(definition.subwords), definition.commands);

port.on('message', (texts: readonly string[]) => {
  const all = new IdBuffer();
  const lengths = Int32Array.from(texts, (text) => {
    const ids = codec.encode(text);
    all.append(ids);
    return ids.length;
  });
  const encoded: EncodedTexts = { ids: all.toArray(), lengths };
  port.postMessage(encoded, [encoded.ids.buffer as ArrayBuffer, lengths.buffer]);
});
