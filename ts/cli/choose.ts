import { Command } from 'commander';

import { number } from './arguments.js';
import {
  addModelOptions,
  groupsOf,
  interruptible,
  loadModel,
  type ModelOptions,
  texts,
} from './generation.js';
import { print } from './output.js';

interface Options extends ModelOptions {
  choices: string[];
  file?: string;
  endToken?: boolean;
  lengthPenalty?: number;
  json?: boolean;
}

/** Texts that are scored in one call. */
const together = 32;

/** `glm choose`: which of several texts fits a blank best. */
export function choose(): Command {
  const command = new Command('choose')
    .description('Score choices for the blank of a text, the likeliest first.')
    .argument('<model>', 'a model folder')
    .argument('[text...]', 'a text with a blank; left out: one text a line from --file or standard input')
    .requiredOption('--choices <texts...>', 'what may stand in the blank, as it is written there');
  return addModelOptions(command)
    .option('--file <name>', 'one text a line')
    .option('--end-token', 'count the end of the blank as a token of the choice')
    .option('--length-penalty <p>', 'divide by the number of tokens to this power', number)
    .option('--json', 'one JSON document on stdout')
    .action(async (folder: string, words: string[], options: Options) => {
      await interruptible(async (signal) => {
        using model = await loadModel(folder, options, signal);
        const { choices, endToken, lengthPenalty, file, json } = options;
        const documents: object[] = [];
        for await (const group of groupsOf(texts(words, file), together)) {
          const scores = await model.score(group, choices, { endToken, lengthPenalty, signal });
          group.forEach((text, i) => {
            const ranked = choices
              .map((choice, c) => ({ choice, score: scores[i]![c]! }))
              .sort((a, b) => b.score - a.score);
            documents.push({ text, choices: ranked });
            if (json) return;
            const lines = ranked.map(({ choice, score }) => `${score.toFixed(3).padStart(10)}  ${choice}`);
            print(false, undefined, () => (words.length > 0 ? lines : [text, ...lines]));
          });
        }
        if (json) print(true, words.length > 0 ? documents[0] : documents, () => []);
      });
    });
}
