import type { Matrix } from './reference/matrix.js';
import { at } from './reference/matrix.js';
import type { ActivationType } from './tensors.js';

/** The distance of neighbouring numbers at 1. */
const spacing: Record<ActivationType, number> = { float32: 2 ** -23, bfloat16: 2 ** -7 };

export function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** The largest difference; NaN where there is one. */
export function largestError(found: Float64Array, expected: Float64Array): number {
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(at(found, i) - at(expected, i));
    if (!(error <= most)) most = error;
    if (Number.isNaN(most)) break;
  }
  return most;
}

function rootMeanSquare(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / Math.max(1, values.length));
}

/**
 * Our error against float64 may be at most twice that of a plain loop of the same precision: the root of the mean square, a
 * steady measure. The largest of many errors is not (equally good loops differ by a factor of two and more), so no single
 * error may be above four times the plain loop's largest. A plain loop over few numbers may happen not to round at all: it
 * counts as being off by one rounding step.
 */
export function assertClose(
  name: string,
  found: Float64Array,
  exact: Matrix,
  plain: Matrix,
  type: ActivationType,
): void {
  if (found.length !== exact.data.length) {
    throw new Error(`${name}: expected ${exact.data.length} elements, found ${found.length}`);
  }
  const errors = found.map((value, i) => value - at(exact.data, i));
  const plainErrors = plain.data.map((value, i) => value - at(exact.data, i));

  const allowed = 4 * Math.max(largest(plainErrors), spacing[type] * largest(exact.data));
  const worst = errors.findIndex((error) => !(Math.abs(error) <= allowed)); // NaN too
  if (worst >= 0) {
    throw new Error(
      `${name}[${worst}]: found ${at(found, worst)}, expected ${at(exact.data, worst)} within ${allowed}, ` +
        `4 times the largest error of a plain ${type} loop`,
    );
  }
  const error = rootMeanSquare(errors);
  const allowedMean = 2 * Math.max(rootMeanSquare(plainErrors), spacing[type] * rootMeanSquare(exact.data));
  if (error > allowedMean) {
    throw new Error(
      `${name}: root mean square error ${error}, allowed ${allowedMean}, twice that of a plain ${type} loop`,
    );
  }
}

/** Throws unless both have the same bits. */
export function assertSameBits(name: string, found: ArrayBufferView, expected: ArrayBufferView): void {
  const a = new Uint8Array(found.buffer, found.byteOffset, found.byteLength);
  const b = new Uint8Array(expected.buffer, expected.byteOffset, expected.byteLength);
  if (a.length !== b.length) throw new Error(`${name}: expected ${b.length} bytes, found ${a.length}`);
  const differs = a.findIndex((byte, i) => byte !== b[i]);
  if (differs >= 0) throw new Error(`${name}: byte ${differs} of ${a.length} differs`);
}
