import { elementCount } from '../shape.js';
import type { NativeDevice, NativeTensor } from '../native.js';
import { type GlmConfig, positionRows } from './config.js';

/** One row of the parameter table. */
export interface ParameterSpec {
  /** As in `model.safetensors` and in the published checkpoints. */
  name: string;
  shape: number[];
  /** Normal with this deviation, or a constant. */
  initial: { deviation: number } | { constant: number };
  /** Whether weight decay applies: everywhere but on biases and layer norms (`train_utils.py` of the original). */
  decay: boolean;
}

/**
 * Every parameter of a model, in the order of the forward pass: the only place that knows names, shapes, initialisation
 * and weight decay. The output projection is the word embedding (tied). Output projections of each layer start smaller,
 * by 1 / sqrt(2 · layers), so that the residual sum keeps its size (`scaled_init_method` of the original).
 */
export function parameterTable(config: GlmConfig): ParameterSpec[] {
  const { hidden_size: h, num_layers: layers, initializer_range: deviation } = config;
  const weight = (name: string, shape: number[], scale = 1): ParameterSpec => ({
    name,
    shape,
    initial: { deviation: deviation * scale },
    decay: true,
  });
  const bias = (name: string, width: number): ParameterSpec => ({
    name,
    shape: [width],
    initial: { constant: 0 },
    decay: false,
  });
  const layerNorm = (name: string): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [h], initial: { constant: 1 }, decay: false },
    bias(`${name}.bias`, h),
  ];
  const linear = (name: string, inputs: number, outputs: number, scale = 1): ParameterSpec[] => [
    weight(`${name}.weight`, [outputs, inputs], scale),
    bias(`${name}.bias`, outputs),
  ];
  const residual = 1 / Math.sqrt(2 * layers);

  const table: ParameterSpec[] = [weight('word_embeddings.weight', [config.vocab_size, h])];
  if (config.position_encoding === 'learned') {
    table.push(weight('transformer.position_embeddings.weight', [positionRows(config), h]));
    if (config.block_position_encoding) {
      table.push(weight('transformer.block_position_embeddings.weight', [positionRows(config), h]));
    }
  }
  for (let i = 0; i < layers; i++) {
    const layer = `transformer.layers.${i}`;
    table.push(
      ...layerNorm(`${layer}.input_layernorm`),
      ...linear(`${layer}.attention.query_key_value`, h, 3 * h),
      ...linear(`${layer}.attention.dense`, h, h, residual),
      ...layerNorm(`${layer}.post_attention_layernorm`),
      ...linear(`${layer}.mlp.dense_h_to_4h`, h, 4 * h),
      ...linear(`${layer}.mlp.dense_4h_to_h`, 4 * h, h, residual),
    );
  }
  table.push(...layerNorm('transformer.final_layernorm'));
  if (config.num_labels > 0)
    table.push(...linear('dense', h, h), ...linear('out_proj', h, config.num_labels));
  return table;
}

/** Whether a parameter is the classifier's (`GLMForSequenceClassification` of the Hub's port). */
export function isClassifier(name: string): boolean {
  return /^(dense|out_proj)\./.test(name);
}

/**
 * The parameters of a model on its device. A model that computes in bfloat16 reads its matrices from bfloat16 copies, which
 * gather the gradients; the float32 they were made from stay as masters, which an optimizer updates and a file gets.
 */
export class ModelParameters {
  readonly specs: readonly ParameterSpec[];
  /** What is computed with. */
  private readonly tensors = new Map<string, NativeTensor>();
  private readonly masters = new Map<string, NativeTensor>();

  private constructor(specs: readonly ParameterSpec[]) {
    this.specs = specs;
  }

  /** New parameters, drawn from (seed, place in the table, element). */
  static initialize(device: NativeDevice, config: GlmConfig, seed: number): ModelParameters {
    const parameters = new ModelParameters(parameterTable(config));
    try {
      for (const [site, { name, shape, initial }] of parameters.specs.entries()) {
        const options =
          'deviation' in initial
            ? { deviation: initial.deviation }
            : { mean: initial.constant, deviation: 0 };
        parameters.tensors.set(
          name,
          device.normal(shape, { ...options, seed, site, requiresGradient: true }),
        );
      }
      return parameters;
    } catch (error) {
      parameters.dispose();
      throw error;
    }
  }

  /** Parameters that are on the device already, in the order of the table. */
  static of(specs: readonly ParameterSpec[], tensors: readonly NativeTensor[]): ModelParameters {
    const parameters = new ModelParameters(specs);
    for (const [i, { name }] of specs.entries()) parameters.tensors.set(name, tensors[i] as NativeTensor);
    return parameters;
  }

  /** From now on matrices are read in bfloat16, half the bytes; biases and layer norms stay float32. */
  computeInBFloat16(device: NativeDevice): void {
    for (const { name, shape } of this.specs) {
      const tensor = this.get(name);
      if (shape.length !== 2 || tensor.dtype === 'bfloat16') continue;
      this.masters.set(name, tensor);
      this.tensors.set(name, device.trainable(tensor, 'bfloat16'));
    }
  }

  /** Gives every parameter float32 values in memory of their own, which an optimizer can update. */
  makeTrainable(device: NativeDevice, dtype: 'float32' | 'bfloat16'): void {
    for (const { name, shape } of this.specs) {
      const [exact, tensor] = [this.exact(name), this.get(name)];
      const master = device.trainable(exact, 'float32');
      const computed = shape.length === 2 && dtype === 'bfloat16' ? device.trainable(tensor, dtype) : master;
      if (computed !== master) this.masters.set(name, master);
      this.tensors.set(name, computed);
      for (const old of [exact, tensor]) if (old !== master && old !== computed) old.dispose();
    }
  }

  get(name: string): NativeTensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new RangeError(`no parameter is named ${name}`);
    return tensor;
  }

  /** The values that are not rounded to what is computed with. */
  exact(name: string): NativeTensor {
    return this.masters.get(name) ?? this.get(name);
  }

  find(name: string): NativeTensor | undefined {
    return this.tensors.get(name);
  }

  all(): NativeTensor[] {
    return [...this.tensors.values()];
  }

  get count(): number {
    return this.specs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  }

  clearGradients(): void {
    for (const tensor of this.tensors.values()) tensor.clearGradient();
  }

  dispose(): void {
    for (const tensor of [...this.tensors.values(), ...this.masters.values()]) tensor.dispose();
  }
}
