import os from 'node:os';

import { Command } from 'commander';

import { devices } from '../devices.js';
import { gibibytes, print } from './output.js';

/** `glm doctor`: what this installation can do, and what it cannot, with the reason. */
export function doctor(): Command {
  return new Command('doctor')
    .description('Say what this installation can use, and why not.')
    .option('--json', 'one JSON document on stdout')
    .action(({ json }: { json?: boolean }) => {
      const found = {
        node: process.version,
        platform: `${process.platform}-${process.arch}`,
        processors: os.cpus().length,
        memoryBytes: os.totalmem(),
        devices: devices(),
      };
      print(json, found, () => [
        `Node ${found.node} on ${found.platform}, ${found.processors} processors, ${gibibytes(found.memoryBytes)} of memory`,
        ...found.devices.map(
          ({ name, available, description, reason }) =>
            `${available ? '✔' : '✘'} ${name}: ${description}${reason === undefined ? '' : ` (${reason})`}`,
        ),
      ]);
    });
}
