import path from 'node:path';

import { Command } from 'commander';

import { writeReport } from '../report/report.js';
import { print } from './output.js';

/** `glm report`: curves, filled blanks and an example of training runs, as one HTML file. */
export function report(): Command {
  return new Command('report')
    .description(
      'Show training runs in one HTML file: curves, filled blanks, an example. They may be going on.',
    )
    .argument('<runs...>', 'folders of runs; several are drawn into the same charts')
    .option('--out <file>', 'the file; left out: report.html in the first run’s folder')
    .option('--json', 'one JSON document on stdout')
    .action(async (folders: string[], options: { out?: string; json?: boolean }) => {
      const file = options.out ?? path.join(folders[0] as string, 'report.html');
      const runs = await writeReport(folders, file);
      print(options.json, { file, runs }, () => [
        ...runs.map(({ name, state, steps, heldOutLoss, trainingLoss }) => {
          const loss = heldOutLoss ?? trainingLoss;
          return `${name}: ${steps} steps, ${state}${loss === null ? '' : `, ${heldOutLoss === null ? 'training' : 'held-out'} loss ${loss.toFixed(3)}`}`;
        }),
        `written: ${file}`,
      ]);
    });
}
