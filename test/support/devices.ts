/**
 * The devices that tests of computing run on. A new one joins with an entry here, and nothing else changes.
 * GLM_TEST_DEVICES in the environment names the ones to use, for example `avx2,cuda`; unless told, all.
 */

import type { DeviceOptions } from '../../ts/devices.js';
import { native, type NativeDevice } from '../../ts/native.js';

export interface TestDevice {
  name: string;
  /** Why it cannot be used here; its tests are then skipped by name. */
  missing?: string | undefined;
  /** How many threads to compare, where there are threads. The first one's results are compared with the reference. */
  threads: readonly number[];
  open(threads: number): NativeDevice;
  /** What makes GLM.create and GLM.load take it. */
  options: DeviceOptions;
}

const instructionSets = ['generic', 'avx2', 'avx512', 'avx512bf16', 'neon'];

const names = process.env.GLM_TEST_DEVICES?.split(',');
const all = [...instructionSets.map((name) => [name, cpu] as const), ['cuda', cuda] as const];

export const testDevices: readonly TestDevice[] = all
  .filter(([name]) => names?.includes(name) ?? true)
  .map(([name, describe]) => describe(name));

/** The devices that whole models are tried on: the CPU with its best instruction set, and a GPU. */
export const modelDevices: readonly Pick<TestDevice, 'name' | 'missing' | 'options'>[] = [
  ...(names === undefined ? [{ name: 'cpu', options: { device: 'cpu' } } as const] : []),
  ...testDevices.filter(({ name }) => name === 'cuda'),
];

/** The CPU with its best instruction set. */
export function bestCpu(threads = 2): NativeDevice {
  return new native.NativeDevice({ threads });
}

function cpu(instructionSet: string): TestDevice {
  const opened = new Map<number, NativeDevice>();
  const open = (threads: number): NativeDevice => {
    const device = opened.get(threads) ?? new native.NativeDevice({ threads, instructionSet });
    opened.set(threads, device);
    return device;
  };
  return {
    name: instructionSet,
    missing: whyMissing(() => open(1)),
    threads: [1, 2, 3],
    open,
    options: { device: 'cpu', instructionSet },
  };
}

/** The first GPU, or a simulated one. */
function cuda(name: string): TestDevice {
  let opened: NativeDevice | undefined;
  const open = (): NativeDevice => (opened ??= new native.NativeDevice({ cuda: 0 }));
  return { name, missing: whyMissing(open), threads: [1], open, options: { device: 'cuda' } };
}

function whyMissing(open: () => void): string | undefined {
  try {
    open();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
