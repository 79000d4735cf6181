import type { NativeTensor } from '../native.js';
import { scope } from '../tensor/scope.js';
import type { Network } from './transformer.js';

/**
 * Adds every adapter to its layer's weight, W + B · A, and removes it: the model computes the same with fewer products. The
 * sums are taken in float32.
 */
export async function mergeAdapters(network: Network): Promise<void> {
  const { device, parameters, dtype } = network;
  const layers = parameters.specs
    .filter(({ name }) => name.endsWith('.lora_a'))
    .map(({ name }) => name.slice(0, -'.lora_a'.length));
  // Of every A, [rank, in], the transposed; all are read before anything changes.
  const transposed = await Promise.all(layers.map((layer) => readTransposed(network, `${layer}.lora_a`)));
  for (const [i, layer] of layers.entries()) {
    const merged = scope(device, () => {
      const exact = (name: string) => device.trainable(parameters.exact(name), 'float32');
      const { shape, values } = transposed[i]!;
      const a = device.tensor(shape, 'float32', values, false);
      return device.linear(exact(`${layer}.lora_b`), a, null, { residual: exact(`${layer}.weight`) });
    });
    merged.setRequiresGradient(true);
    parameters.replace(`${layer}.weight`, merged);
  }
  parameters.remove(({ addition }) => addition === 'adapter');
  network.config = { ...network.config, lora_rank: 0 };
  if (dtype === 'bfloat16') parameters.computeInBFloat16(device);
}

async function readTransposed({ device, parameters }: Network, name: string) {
  const tensor = parameters.exact(name);
  const [rows, columns] = tensor.shape as [number, number];
  const floats: NativeTensor = device.trainable(tensor, 'float32');
  const pending = floats.read();
  if (floats !== tensor) floats.dispose();
  const read = (await pending) as Float32Array;
  const values = new Float32Array(read.length);
  read.forEach((value, i) => (values[(i % columns) * rows + Math.floor(i / columns)] = value));
  return { shape: [columns, rows], values };
}
