/** A thread that reads parts of files and sends back their tokens. */

import { parentPort, workerData } from 'node:worker_threads';
import { GlmError } from '../../errors.js';
import { Codec } from '../../text/codec.js';
import { createSubwords } from '../../text/create-subwords.js';
import type { Part } from '../../text/documents/document.js';
import { PartReader } from '../../text/documents/reader.js';
import type { Source } from '../../text/documents/sources.js';
import { ChunkWriter } from './tokenize-chunks.js';
import type { FromWorker, ToWorker, WorkerSetup } from './tokenize-messages.js';

const port = parentPort!;
const { tokenizer, rules, endOfText, bytesPerToken } = workerData as WorkerSetup;
const codec = new Codec(createSubwords(tokenizer.subwords), tokenizer.commands);
const chunks = new ChunkWriter(bytesPerToken, (chunk) => {
  port.postMessage(chunk, [chunk.tokens.buffer]);
});

const reading = new PartReader(rules);

port.on('message', (message: ToWorker) => {
  if (message.type === 'written') return chunks.written(message.memory);
  void tokenizePart(message.source, message.part).then(
    (end) => port.postMessage(end),
    (error: unknown) => port.postMessage(failure(error)),
  );
});

async function tokenizePart(source: Source, part: Part): Promise<FromWorker> {
  const reader = await reading.of(source);
  for await (const stretches of reader.read(part)) {
    for (const { text, last } of stretches) {
      chunks.add(codec.encode(text));
      if (last) chunks.endDocument(endOfText);
    }
    await chunks.roomForMore();
  }
  chunks.flush();
  return { type: 'end', last: reader.ended, consumed: reader.consumed };
}

function failure(error: unknown): FromWorker {
  if (error instanceof GlmError) return { type: 'error', code: error.code, message: error.message };
  return {
    type: 'error',
    code: undefined,
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
