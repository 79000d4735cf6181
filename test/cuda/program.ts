/** glm_check, the program that runs the CUDA kernels beside the CPU's; `npm run test:cuda-sim` builds it. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { withFolder } from '../support/folder.js';

const program = path.join(process.env.GLM_NATIVE_PREBUILD ?? '', 'build', 'glm_check');

/** Why it cannot run here, or undefined. */
export const missing = existsSync(program)
  ? undefined
  : 'glm_check runs on the simulated device: npm run test:cuda-sim';

/** What it prints; it must find every kernel right. */
export function runProgram(options: string[], environment: Record<string, string> = {}): string {
  const { status, stdout, stderr } = spawnSync(program, options, {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  if (status !== 0)
    throw new Error(`glm_check ${options.join(' ')} ended with ${String(status)}\n${stdout}${stderr}`);
  return stdout;
}

/** The simulator's counters of one kernel, per launch. */
export interface Counters {
  name: string;
  launches: number;
  blocks: number;
  mma: number;
  globalBytesLoaded: number;
  globalBytesStored: number;
  loadSectors: number;
  storeSectors: number;
  loadEfficiency: number;
  storeEfficiency: number;
  sharedBankConflicts: number;
  ldmatrixConflicts: number;
  /** Accesses to memory by the place in the source; `sectors` of 32 bytes of global memory. */
  sites: { file: string; class: string; bytes: number; sectors?: number; conflicts?: number }[];
}

/** Counters of the kernels that a run of the program starts, by name. */
export async function countersOf(options: string[]): Promise<Counters[]> {
  return withFolder(async (folder) => {
    const file = path.join(folder, 'counters.json');
    runProgram(options, { CUDASIM_STATS: file, CUDASIM_SCHEDULE: 'fixed' });
    const { kernels } = JSON.parse(await readFile(file, 'utf8')) as { kernels: Counters[] };
    return kernels.map((kernel) => ({
      ...kernel,
      blocks: kernel.blocks / kernel.launches,
      mma: kernel.mma / kernel.launches,
      globalBytesLoaded: kernel.globalBytesLoaded / kernel.launches,
      globalBytesStored: kernel.globalBytesStored / kernel.launches,
      loadSectors: kernel.loadSectors / kernel.launches,
      storeSectors: kernel.storeSectors / kernel.launches,
    }));
  });
}
