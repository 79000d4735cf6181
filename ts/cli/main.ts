#!/usr/bin/env node
/** The command line: `glm-native`, also installed as `glm`. One file per command. */

import { createRequire } from 'node:module';

import { Command, CommanderError } from 'commander';

import { choose } from './choose.js';
import { convert } from './convert.js';
import { doctor } from './doctor.js';
import { evalCommand } from './eval.js';
import { fill } from './fill.js';
import { finetune } from './finetune.js';
import { generate } from './generate.js';
import { inspect } from './inspect.js';
import { report as reportError, status } from './output.js';
import { pretrain } from './pretrain.js';
import { report } from './report.js';
import { tokenize } from './tokenize.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

const program = new Command('glm')
  .description('Pretrain, fine-tune and evaluate GLMs, and fill blanks.')
  .version(version)
  .exitOverride()
  .showHelpAfterError('(--help says what there is)');
for (const command of [
  tokenize,
  pretrain,
  finetune,
  evalCommand,
  report,
  inspect,
  convert,
  doctor,
  fill,
  generate,
  choose,
])
  program.addCommand(command().exitOverride());

// Whoever reads the output may stop reading, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : status.usage;
  else process.exitCode = reportError(error, process.argv.includes('--json'));
}
