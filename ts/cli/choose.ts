import type { Command } from 'commander';

import { number } from './arguments.js';
import { interruptible, loadModel, printResults, textCommand, type TextOptions } from './generation.js';

interface Options extends TextOptions {
  choices: string[];
  endToken?: boolean;
  lengthPenalty?: number;
}

/** `glm choose`: which of several texts fits a blank best. */
export function choose(): Command {
  return textCommand(
    'choose',
    'Score choices for the blank of a text, the likeliest first.',
    'a text with a blank',
  )
    .requiredOption('--choices <texts...>', 'what may stand in the blank, as it is written there')
    .option('--end-token', 'count the end of the blank as a token of the choice')
    .option('--length-penalty <p>', 'divide by the number of tokens to this power', number)
    .action(async (folder: string, words: string[], options: Options) => {
      const { choices, endToken, lengthPenalty } = options;
      await interruptible(async (signal) => {
        using model = await loadModel(folder, options, signal);
        await printResults(words, options, async (texts) => {
          const scores = await model.score(texts, choices, { endToken, lengthPenalty, signal });
          return texts.map((text, i) => {
            const ranked = choices
              .map((choice, c) => ({ choice, score: scores[i]![c]! }))
              .sort((a, b) => b.score - a.score);
            const lines = ranked.map(({ choice, score }) => `${score.toFixed(3).padStart(10)}  ${choice}`);
            return {
              document: { text, choices: ranked },
              lines: words.length > 0 ? lines : [text, ...lines],
            };
          });
        });
      });
    });
}
