import { Command, Option } from 'commander';

import { Corpus } from '../data/corpus.js';
import { Tokenizer } from '../text/tokenizer.js';
import { integer } from './arguments.js';
import { LiveLine, print } from './output.js';

interface Options {
  tokenizer: string;
  train?: 'bpe' | 'wordpiece';
  vocabSize: number;
  documents?: 'blank-line' | 'line' | 'file';
  field?: string;
  cache?: string;
  workers?: number;
  json?: boolean;
}

/** `glm tokenize`: text files into a token file; with --train, makes the tokenizer first. */
export function tokenize(): Command {
  return new Command('tokenize')
    .description('Tokenize text files once, for training. With --train, make the tokenizer first.')
    .argument('<paths...>', '.txt, .jsonl and .parquet files, each also as .gz; folders; globs')
    .requiredOption('--tokenizer <folder>', 'the tokenizer to use, or with --train to write')
    .addOption(new Option('--train <type>', 'train a tokenizer on the text').choices(['bpe', 'wordpiece']))
    .option('--vocab-size <n>', 'tokens of a trained vocabulary', integer(1), 30000)
    .addOption(
      new Option('--documents <rule>', 'what ends a document of a .txt file').choices([
        'blank-line',
        'line',
        'file',
      ]),
    )
    .option('--field <name>', 'field of .jsonl, column of .parquet files')
    .option('--cache <folder>', 'where the token file goes')
    .option('--workers <n>', 'threads', integer(1))
    .option('--json', 'one JSON document on stdout')
    .action(async (paths: string[], options: Options) => {
      const line = new LiveLine();
      const { train, vocabSize, documents, field, cache, workers, json } = options;
      let tokenizer: Tokenizer;
      if (train === undefined) {
        tokenizer = await Tokenizer.load(options.tokenizer);
      } else {
        tokenizer = await Tokenizer.train(paths, { type: train, vocabSize, field });
        await tokenizer.save(options.tokenizer);
      }
      const corpus = await Corpus.open(paths, {
        tokenizer,
        documents,
        field,
        cacheDir: cache,
        workers,
        onProgress: ({ bytes, totalBytes, tokens }) =>
          line.show(`${((100 * bytes) / totalBytes).toFixed(0)} % of the text, ${tokens} tokens`),
      });
      line.clear();
      const result = {
        documents: corpus.documents,
        tokens: corpus.tokens,
        vocabSize: tokenizer.vocabSize,
        folder: corpus.folder,
      };
      await corpus.close();
      print(json, result, () => [
        `${result.documents} documents, ${result.tokens} tokens of a vocabulary of ${result.vocabSize}, in ${result.folder}`,
      ]);
    });
}
