import os from 'node:os';

import { GlmError } from './errors.js';
import { native, type NativeCudaSystem, type NativeDevice } from './native.js';

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

export interface DeviceOptions {
  /** Where to compute; `auto` takes the first GPU that can be used, else the CPU: `devices()` says why. Default `auto`. */
  device?: 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;
  /**
   * What matrices and activations are computed with. In `bfloat16` sums, statistics and everything that training keeps are
   * float32 still. Default `float32`.
   */
  dtype?: 'float32' | 'bfloat16';
  /** Compute threads on the CPU. Default: all processors. */
  threads?: number;
  /** Forces the CPU kernels of an instruction set: `avx512bf16`, `avx512`, `avx2`, `generic`, or `neon`. Default: the best here. */
  instructionSet?: string;
}

/** The devices of this machine, the CPU first. Without a GPU there is one entry for it, with the reason. */
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
    ...gpus(native.inspectCuda()),
  ];
}

/** What was found of CUDA, in a line: the driver's version, and the one that is needed. */
export function cudaVersions(): string {
  const { driverVersion, runtimeVersion } = native.inspectCuda();
  if (runtimeVersion === 0) return 'none';
  const driver = driverVersion === 0 ? 'no driver' : `a driver for CUDA ${version(driverVersion)}`;
  return `${driver}; one for CUDA ${Math.floor(runtimeVersion / 1000)}.0 or later is needed`;
}

function gpus({ reason, devices: found }: NativeCudaSystem): DeviceDescription[] {
  if (reason !== '') return [{ name: 'cuda:0', available: false, reason, description: 'NVIDIA GPU' }];
  return found.map((gpu, index) => ({
    name: `cuda:${index}` as const,
    available: gpu.reason === '',
    ...(gpu.reason === '' ? {} : { reason: gpu.reason }),
    description: gpu.name === '' ? 'NVIDIA GPU' : gpu.name,
    memoryBytes: gpu.memoryBytes,
    computeCapability: gpu.computeCapability,
  }));
}

function version(number: number): string {
  return `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;
}

/** Opens the device that the options name. A GPU that was named and cannot be used throws `GLM_CUDA_UNAVAILABLE`. */
export function openDevice(options: DeviceOptions): NativeDevice {
  const { device = 'auto', dtype = 'float32', threads, instructionSet } = options;
  if (dtype !== 'float32' && dtype !== 'bfloat16') {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected dtype float32 or bfloat16, found "${String(dtype)}"`,
    );
  }
  const gpu = /^cuda(?::(\d{1,9}))?$/.exec(device);
  if (gpu === null && device !== 'auto' && device !== 'cpu') {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected the device auto, cpu, cuda or cuda:1, found "${String(device)}": there is no such device`,
    );
  }
  if (gpu !== null && instructionSet !== undefined) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected instructionSet, which is about the CPU's kernels, without the device "${device}"; leave one out`,
    );
  }
  if (gpu !== null) return new native.NativeDevice({ cuda: Number(gpu[1] ?? 0) });
  const found = device === 'auto' && instructionSet === undefined ? firstGpu() : undefined;
  return found ?? new native.NativeDevice({ threads, instructionSet });
}

/**
 * Calls `body` with the device that the options name. Where `auto` has taken a GPU that has no room for what `body` puts
 * there, or that fails, a warning says so and the CPU is taken.
 */
export async function withDevice<T>(
  options: DeviceOptions,
  body: (device: NativeDevice) => T | Promise<T>,
): Promise<T> {
  const device = openDevice(options);
  try {
    return await body(device);
  } catch (error) {
    const isAuto = (options.device ?? 'auto') === 'auto';
    if (!isAuto || device.name === 'cpu' || !isAboutTheDevice(error)) throw error;
    process.emitWarning(`computing on the CPU: ${error.message}`);
  }
  return body(openDevice({ ...options, device: 'cpu' }));
}

function isAboutTheDevice(error: unknown): error is GlmError {
  return error instanceof GlmError && (error.code === 'GLM_OUT_OF_MEMORY' || error.code === 'GLM_CUDA');
}

/** None where there is none that can be used; `devices()` says why. */
function firstGpu(): NativeDevice | undefined {
  const found = native.inspectCuda().devices;
  for (const [index, { reason }] of found.entries()) {
    if (reason !== '') continue;
    try {
      return new native.NativeDevice({ cuda: index });
    } catch (error) {
      process.emitWarning(`cuda:${index} is not used: ${(error as Error).message}`);
    }
  }
  return undefined;
}
