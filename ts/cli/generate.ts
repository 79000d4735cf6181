import { Command } from 'commander';

import type { FillOptions } from '../generate/options.js';
import type { GLM } from '../glm.js';
import { checkOutput, plain } from './fill.js';
import {
  addDecodingOptions,
  addModelOptions,
  type DecodingOptions,
  fillOptions,
  interruptible,
  loadModel,
  type ModelOptions,
  texts,
} from './generation.js';
import { print } from './output.js';

interface Options extends ModelOptions, DecodingOptions {
  file?: string;
  stream?: boolean;
  json?: boolean;
}

/** `glm generate`: goes on where texts end. */
export function generate(): Command {
  const command = new Command('generate')
    .description('Continue texts.')
    .argument('<model>', 'a model folder')
    .argument('[text...]', 'a text; left out: one text a line from --file or standard input');
  return addDecodingOptions(addModelOptions(command))
    .option('--file <name>', 'one text a line')
    .option('--stream', 'show the tokens as they come')
    .option('--json', 'one JSON document on stdout')
    .action(async (folder: string, words: string[], options: Options) => {
      checkOutput(options);
      await interruptible(async (signal) => {
        using model = await loadModel(folder, options, signal);
        const decoding = fillOptions(options, signal);
        const documents: object[] = [];
        for await (const text of texts(words, options.file)) {
          if (options.stream) {
            await show(model, text, decoding);
            continue;
          }
          const result = await model.fill(text, decoding);
          documents.push(plain(result));
          if (!options.json) print(false, undefined, () => [result.text]);
        }
        if (options.json) print(true, words.length > 0 ? documents[0] : documents, () => []);
      });
    });
}

/** Writes the text, and what follows it as it comes. */
async function show(model: GLM, text: string, decoding: FillOptions): Promise<void> {
  process.stdout.write(text);
  for await (const chunk of model.stream(text, decoding)) process.stdout.write(chunk.text);
  process.stdout.write('\n');
}
