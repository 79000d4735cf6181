import { availableParallelism } from 'node:os';
import { GlmError } from '../../errors.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { CorpusWriter } from './corpus-writer.js';
import { usualPartBytes } from '../../text/documents/reader.js';
import type { Source } from '../../text/documents/sources.js';
import { Committer } from './committer.js';
import { resumePoints } from './resume-points.js';
import type { Identity, Manifest, TokenFolder } from './token-folder.js';
import type { FromWorker } from './tokenize-messages.js';
import { Plan } from '../../text/documents/plan.js';
import { type Task, WorkerPool } from './worker-pool.js';

/** How far tokenizing has come. */
export interface TokenizeProgress {
  /** Of the files on disk. */
  readonly bytes: number;
  readonly totalBytes: number;
  readonly tokens: number;
  readonly documents: number;
}

export interface TokenizeOptions {
  readonly sources: readonly Source[];
  readonly tokenizer: Tokenizer;
  readonly identity: Identity;
  readonly folder: TokenFolder;
  readonly workers: number | undefined;
  readonly onProgress: ((progress: TokenizeProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  /** Bytes of text in a part. */
  readonly partBytes?: number | undefined;
  /** Milliseconds between two commits: what is lost when killed, besides the parts that were under way. */
  readonly commitEvery?: number | undefined;
}

const mostWorkers = 8;

/**
 * Tokenizes the sources into the folder, going on where an earlier attempt was cut off. Worker threads take the parts of
 * the files in order; this thread only writes their tokens, in the same order, so that any number of workers gives the
 * same bytes.
 */
export async function tokenize(options: TokenizeOptions): Promise<Manifest> {
  const { sources, tokenizer, identity, folder, signal, partBytes = usualPartBytes } = options;
  const bytesPerToken = tokenizer.vocabSize <= 0x10000 ? 2 : 4;
  const points = await resumePoints(folder, identity, partBytes);
  const { writer, from } = await CorpusWriter.open(folder, bytesPerToken, points);
  const plan = new Plan(sources, identity.rules, partBytes, from.next);
  const pool = new WorkerPool(plan, sources, workerCount(options, partBytes), {
    tokenizer: tokenizer.definition,
    rules: identity.rules,
    endOfText: tokenizer.special.eos,
    bytesPerToken,
  });
  const abort = (): void => pool.fail(signal!.reason);
  signal?.addEventListener('abort', abort);
  try {
    signal?.throwIfAborted();
    await writeAll(options, new Committer(options, partBytes, writer, from), pool, writer);
    if (writer.written.documents === 0) throw noDocuments(sources);
    await writer.sync();
    const manifest: Manifest = { ...identity, bytesPerToken, ...writer.written };
    await folder.writeManifest(manifest);
    await folder.removeProgress();
    return manifest;
  } finally {
    signal?.removeEventListener('abort', abort);
    await pool.close();
    await writer.close();
  }
}

function workerCount({ sources, workers }: TokenizeOptions, partBytes: number): number {
  const bytes = sources.reduce((sum, { size }) => sum + size, 0);
  const wanted = workers ?? Math.min(availableParallelism(), mostWorkers);
  return Math.max(1, Math.min(wanted, Math.ceil(bytes / partBytes)));
}

async function writeAll(
  { sources, onProgress }: TokenizeOptions,
  committer: Committer,
  pool: WorkerPool,
  writer: CorpusWriter,
): Promise<void> {
  const bytesBefore = [0];
  sources.forEach(({ size }, i) => bytesBefore.push(bytesBefore[i]! + size));
  try {
    for (let task = pool.next(); task !== undefined; task = pool.next()) {
      const end = await writePart(task, writer);
      const { tokens, documents } = writer.written;
      const bytes = Math.min(bytesBefore[task.source]! + end.consumed, bytesBefore[task.source + 1]!);
      onProgress?.({ bytes, totalBytes: bytesBefore.at(-1)!, tokens, documents });
      await committer.partDone(task, end.last);
    }
  } catch (error) {
    // Whatever it was: what has been done need not be done again.
    await committer.commit().catch(() => undefined);
    throw error;
  }
}

/** Writes what a part's worker sends, up to its end. */
async function writePart(task: Task, writer: CorpusWriter): Promise<FromWorker & { type: 'end' }> {
  for (;;) {
    const message = await task.messages.next();
    if (message.type === 'end') return message;
    if (message.type === 'error') throw errorOf(message);
    await writer.append(message);
    task.giveBack(message);
  }
}

function errorOf({ code, message }: FromWorker & { type: 'error' }): Error {
  return code === undefined ? new Error(message) : new GlmError(code, message);
}

function noDocuments(sources: readonly Source[]): GlmError {
  const names = sources.slice(0, 3).map(({ file }) => file);
  const found = `${names.join(', ')}${sources.length > names.length ? ', …' : ''}`;
  return new GlmError('GLM_DATA', `expected documents in ${found}, found nothing but white space`);
}
