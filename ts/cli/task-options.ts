/** What `finetune` and `eval` let a task be told. */

import type { Command } from 'commander';

import { integer, number } from './arguments.js';

export interface TaskFlags {
  pattern?: number;
  multiToken?: true;
  classifier?: true;
  maxLength?: number;
  maxTargetLength?: number;
  minTargetLength?: number;
  beams?: number;
  lengthPenalty?: number;
  noRepeatNgram?: number;
  maskRatio?: number;
  attendPadding?: true;
  postProcess?: true;
}

export function addTaskOptions(command: Command): Command {
  return command
    .option('--pattern <n>', 'how records are worded, from 0 on', integer(0))
    .option('--multi-token', 'words of labels may be of several tokens')
    .option('--classifier', 'learn a classifier on [CLS] instead of filling a blank')
    .option('--max-length <n>', 'tokens of an example’s text', integer(8))
    .option('--max-target-length <n>', 'tokens of a target', integer(1))
    .option('--min-target-length <n>', 'tokens before which a text does not end', integer(0))
    .option('--beams <n>', 'hypotheses of beam search', integer(1))
    .option('--length-penalty <p>', 'scores are divided by the length to this power', number)
    .option('--no-repeat-ngram <n>', 'no n-gram of this length comes twice; 0: any may', integer(0))
    .option('--mask-ratio <share>', 'of the words that infilling takes away: 0.1 to 0.5', number)
    .option('--attend-padding', 'fill sources up with padding that is attended, as the original does')
    .option('--post-process', 'join tokens and drop repeated sentences before scoring, as the original does');
}

/** The options that are given. */
export function taskOptions(flags: TaskFlags): Record<string, unknown> {
  const { pattern, multiToken, classifier, maxLength, maxTargetLength, minTargetLength } = flags;
  const { beams, lengthPenalty, noRepeatNgram, maskRatio, attendPadding, postProcess } = flags;
  const given = {
    ...{ pattern, multiToken, classifier, maxLength, maxTargetLength, minTargetLength },
    ...{ beams, lengthPenalty, noRepeatNgram, maskRatio, attendPadding, postProcess },
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
