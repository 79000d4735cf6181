import type { NativeDevice, NativeTensor } from '../native.js';

/**
 * Runs `body` and disposes the tensors it made on the device, but for the ones it returns. The body must not be
 * asynchronous: ops are enqueued in order, and a scope that stayed open across an `await` would catch the tensors of
 * whoever runs in between.
 */
export function scope<T extends NativeTensor | undefined>(device: NativeDevice, body: () => T): T {
  return inScope(device, body, false);
}

/** A scope whose intermediate tensors are computed again in the backward, rather than kept. */
export function checkpoint<T extends NativeTensor>(device: NativeDevice, body: () => T): T {
  return inScope(device, body, true);
}

function inScope<T extends NativeTensor | undefined>(
  device: NativeDevice,
  body: () => T,
  recompute: boolean,
): T {
  device.openScope();
  let result: T | undefined;
  try {
    result = body();
    return result;
  } finally {
    device.closeScope(result === undefined ? [] : [result], recompute);
  }
}

/** Records what `body` computes, so that it can call `device.backward`. */
export function record<T>(device: NativeDevice, body: () => T): T {
  device.beginTape();
  try {
    return body();
  } finally {
    device.endTape();
  }
}
