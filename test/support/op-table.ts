/**
 * One table of cases per op, run on every device: against the float64 reference, with the error of a plain loop of the same
 * precision as the measure, in memory that was filled with NaN; and on several threads, to the same bits.
 */

import { suite } from 'uvu';

import type { HostArray, NativeDevice } from '../../ts/native.js';
import { assertClose, assertSameBits } from './close.js';
import { testDevices, type TestDevice } from './devices.js';
import type { Matrix } from './reference/matrix.js';
import { bfloat16, exact, float32, type Precision } from './reference/precision.js';
import { disposing, numbers, type ActivationType } from './tensors.js';

export type Outputs<T> = Record<string, T>;

export interface OpCase {
  name: string;
  /** The type of activations. */
  type: ActivationType;
  /** Runs the op and its backward, and reads the results. The tensors it makes are disposed for it. */
  run(device: NativeDevice): Outputs<Promise<HostArray>>;
  /** The same results, by their names. */
  reference(precision: Precision): Outputs<Matrix>;
  /** Outputs that are float32 whatever the activations are: parameter gradients and losses. */
  alwaysFloat32?: readonly string[];
}

export function opTable(op: string, cases: readonly OpCase[]): void {
  const table = suite(op);
  for (const device of testDevices) {
    if (device.missing !== undefined) {
      table.skip(`${op} on ${device.name}: ${device.missing}`);
      continue;
    }
    for (const opCase of cases) {
      table(`${op}, ${opCase.name}, ${opCase.type} on ${device.name}`, () => check(opCase, device));
    }
  }
  table.run();
}

async function check(opCase: OpCase, device: TestDevice): Promise<void> {
  const [first = 1, ...others] = device.threads;
  const found = await runOn(device.open(first), opCase);
  const { truth, plain } = referencesOf(opCase);
  if (Object.keys(found).sort().join() !== Object.keys(truth).sort().join()) {
    throw new Error(`the op gave ${Object.keys(found).join()}, its reference ${Object.keys(truth).join()}`);
  }
  for (const [name, array] of Object.entries(found)) {
    const type = opCase.alwaysFloat32?.includes(name) ? 'float32' : opCase.type;
    assertClose(name, numbers(array), truth[name] as Matrix, plain[name] as Matrix, type);
  }
  for (const threads of others) {
    const again = await runOn(device.open(threads), opCase);
    for (const [name, array] of Object.entries(again)) {
      assertSameBits(`${name} on ${threads} threads`, array, found[name] as HostArray);
    }
  }
}

async function runOn(device: NativeDevice, opCase: OpCase): Promise<Outputs<HostArray>> {
  const results = disposing(device, () => Object.entries(opCase.run(device)));
  return Object.fromEntries(
    await Promise.all(results.map(async ([name, array]) => [name, await array] as const)),
  );
}

const references = new WeakMap<OpCase, { truth: Outputs<Matrix>; plain: Outputs<Matrix> }>();

/** Computed once, for all devices. */
function referencesOf(opCase: OpCase): { truth: Outputs<Matrix>; plain: Outputs<Matrix> } {
  let both = references.get(opCase);
  if (both === undefined) {
    both = {
      truth: opCase.reference(exact),
      plain: opCase.reference(opCase.type === 'bfloat16' ? bfloat16 : float32),
    };
    references.set(opCase, both);
  }
  return both;
}
