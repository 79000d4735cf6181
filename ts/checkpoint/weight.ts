import { GlmError } from '../errors.js';
import type { ElementType } from '../io/element-type.js';
import { elementBytes } from '../io/element-type.js';
import type { FileArray } from '../io/file-array.js';
import type { NativeFileArray, NativeJoinedArrays } from '../native.js';
import { elementCount } from '../shape.js';

/** The values of a parameter: arrays in files, joined along an axis. A whole tensor is one part. */
export interface Weight {
  shape: readonly number[];
  axis: number;
  parts: readonly FileArray[];
}

export function whole(array: FileArray): Weight {
  return { shape: array.shape, axis: 0, parts: [array] };
}

export function join(parts: readonly FileArray[], axis: number): Weight {
  const shape = [...(parts[0] as FileArray).shape];
  shape[axis] = parts.reduce((sum, part) => sum + (part.shape[axis] as number), 0);
  return { shape, axis, parts };
}

/** `length` rows (or columns …) of an array, from `begin` on. */
export function narrow(array: FileArray, axis: number, begin: number, length: number): FileArray {
  const shape = array.shape.map((size, i) => (i === axis ? length : size));
  const skipped = begin * (array.strides[axis] as number);
  return { ...array, shape, begin: array.begin + skipped * elementBytes[array.type] };
}

/** The same of a weight: what its parts have of it. */
export function narrowWeight(weight: Weight, axis: number, begin: number, length: number): Weight {
  const shape = weight.shape.map((size, i) => (i === axis ? length : size));
  if (axis !== weight.axis) {
    return { ...weight, shape, parts: weight.parts.map((part) => narrow(part, axis, begin, length)) };
  }
  const parts: FileArray[] = [];
  let place = 0;
  for (const part of weight.parts) {
    const size = part.shape[axis] as number;
    const [from, to] = [Math.max(begin - place, 0), Math.min(begin + length - place, size)];
    if (from < to) parts.push(narrow(part, axis, from, to - from));
    place += size;
  }
  return { ...weight, shape, parts };
}

export function transpose(array: FileArray): FileArray {
  return { ...array, shape: array.shape.toReversed(), strides: array.strides.toReversed() };
}

/** The type of a weight's elements. Where its parts differ, one that holds them all. */
export function typeOf({ parts }: Weight): ElementType {
  const [first, ...others] = new Set(parts.map(({ type }) => type));
  return first === undefined || others.length > 0 ? 'F32' : first;
}

export function bytesOf(weight: Weight): number {
  return weight.parts.reduce((sum, { type, shape }) => sum + elementCount(shape) * elementBytes[type], 0);
}

const floatingPoint = new Set<ElementType>(['F64', 'F32', 'F16', 'BF16']);

/** As the native core takes it. Throws `GLM_CHECKPOINT_FORMAT` for integers. */
export function forNative({ shape, axis, parts }: Weight): NativeJoinedArrays {
  return { shape, axis, parts: parts.map(arrayForNative) };
}

export function arrayForNative({ file, type, shape, strides, begin }: FileArray): NativeFileArray {
  if (!floatingPoint.has(type)) {
    throw new GlmError(
      'GLM_CHECKPOINT_FORMAT',
      `${file.path}: expected weights of type ${[...floatingPoint].join(', ')}, found ${type}; quantized weights are not supported`,
    );
  }
  return { descriptor: file.descriptor, type, shape, strides, begin };
}
