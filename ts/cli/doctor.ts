import os from 'node:os';

import { Command } from 'commander';

import { cudaVersions, type DeviceDescription, devices } from '../devices.js';
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
        cuda: cudaVersions(),
        devices: devices(),
      };
      print(json, found, () => [
        `Node ${found.node} on ${found.platform}, ${found.processors} processors, ${gibibytes(found.memoryBytes)} of memory`,
        `CUDA: ${found.cuda}`,
        ...found.devices.map(
          ({ name, available, description, reason, ...gpu }) =>
            `${available ? '✔' : '✘'} ${name}: ${description}${capability(gpu)}${reason === undefined ? '' : ` (${reason})`}`,
        ),
      ]);
    });
}

function capability({ computeCapability, memoryBytes = 0 }: Partial<DeviceDescription>): string {
  if (computeCapability === undefined) return '';
  return `, ${gibibytes(memoryBytes)} of memory, compute capability ${computeCapability}`;
}
