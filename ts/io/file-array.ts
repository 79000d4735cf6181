import { elementCount } from '../shape.js';
import { type ElementType } from './element-type.js';
import type { InputFile } from './input-file.js';

/**
 * An array that lies in a file: element [i, j, …] is the (i·strides[0] + j·strides[1] + …)-th behind byte `begin`.
 * Transposing and slicing change these numbers alone; nothing is read.
 */
export interface FileArray {
  file: InputFile;
  type: ElementType;
  shape: readonly number[];
  /** In elements. */
  strides: readonly number[];
  begin: number;
}

/** The strides of an array whose rows lie one behind the other. */
export function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
}
