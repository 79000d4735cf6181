import os from 'node:os';

import { native } from './native.js';

/** Something to compute on. */
export interface DeviceDescription {
  name: 'cpu' | `cuda:${number}`;
  available: boolean;
  /** Why it is not available, and what to do. */
  reason?: string;
  description: string;
  memoryBytes?: number;
  computeCapability?: string;
}

/** The devices of this machine, the CPU first. */
export function devices(): DeviceDescription[] {
  const { instructionSet, threads } = new native.NativeDevice({});
  const processor = os.cpus()[0]?.model.trim() ?? 'unknown processor';
  return [
    {
      name: 'cpu',
      available: true,
      description: `${processor}, ${threads} threads, ${instructionSet} kernels`,
      memoryBytes: os.totalmem(),
    },
    {
      name: 'cuda:0',
      available: false,
      reason: 'this version has no CUDA backend; use the CPU',
      description: 'NVIDIA GPU',
    },
  ];
}
