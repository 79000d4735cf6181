/** What `finetune` and `eval` let a task be told. */

import type { Command } from 'commander';

import { integer } from './arguments.js';

export interface TaskFlags {
  pattern?: number;
  multiToken?: true;
  maxLength?: number;
  maxTargetLength?: number;
  attendPadding?: true;
  postProcess?: true;
}

export function addTaskOptions(command: Command): Command {
  return command
    .option('--pattern <n>', 'how records are worded, from 0 on', integer(0))
    .option('--multi-token', 'words of labels may be of several tokens')
    .option('--max-length <n>', 'tokens of an example’s text', integer(8))
    .option('--max-target-length <n>', 'tokens of a target', integer(1))
    .option('--attend-padding', 'fill sources up with padding that is attended, as the original does')
    .option('--post-process', 'join tokens and drop repeated sentences before scoring, as the original does');
}

/** The options that are given. */
export function taskOptions(flags: TaskFlags): Record<string, unknown> {
  const { pattern, multiToken, maxLength, maxTargetLength, attendPadding, postProcess } = flags;
  const given = { pattern, multiToken, maxLength, maxTargetLength, attendPadding, postProcess };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
