import { elementCount } from '../shape.js';
import type { NativeDevice, NativeTensor } from '../native.js';
import { type GlmConfig, positionRows } from './config.js';
import { promptEmbeddings, promptTable } from './prompt-encoder.js';

/** One row of the parameter table. */
export interface ParameterSpec {
  /** As in `model.safetensors` and in the published checkpoints. */
  name: string;
  shape: number[];
  /** Normal with this deviation, or a constant. */
  initial: { deviation: number } | { constant: number };
  /** Whether weight decay applies: everywhere but on biases and layer norms (`train_utils.py` of the original). */
  decay: boolean;
  /** Which addition to a pretrained model it belongs to: those begin anew where a checkpoint has none. */
  addition?: 'classifier' | 'adapter' | 'prompt';
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
    ...adapterTable(name, inputs, outputs, config.lora_rank),
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
  table.push(...layerNorm('transformer.final_layernorm'), ...promptTable(config));
  if (config.num_labels > 0) table.push(...classifierTable(h, config.num_labels, deviation));
  return table;
}

/** Whether a parameter is one that kernels take in half precision: a matrix, but what prompts are made of. */
export function isMatrix({ name, shape }: ParameterSpec): boolean {
  return shape.length === 2 && name !== promptEmbeddings;
}

/** Whether a parameter is the classifier's (`GLMForSequenceClassification` of the Hub's port). */
export function isClassifier(name: string): boolean {
  return /^(dense|out_proj)\./.test(name);
}

/** The classifier's layers; they have no adapters, since they begin anew themselves. */
function classifierTable(h: number, labels: number, deviation: number): ParameterSpec[] {
  const addition = 'classifier';
  return [['dense', h] as const, ['out_proj', labels] as const].flatMap(
    ([name, outputs]): ParameterSpec[] => [
      { name: `${name}.weight`, shape: [outputs, h], initial: { deviation }, decay: true, addition },
      { name: `${name}.bias`, shape: [outputs], initial: { constant: 0 }, decay: false, addition },
    ],
  );
}

/** A linear layer's weight W [out, in] with an adapter is W + B · A; at first B is zero (LoRA, section 4.1). */
function adapterTable(name: string, inputs: number, outputs: number, rank: number): ParameterSpec[] {
  if (rank === 0) return [];
  const common = { decay: true, addition: 'adapter' } as const;
  return [
    {
      ...common,
      name: `${name}.lora_a`,
      shape: [rank, inputs],
      initial: { deviation: 1 / Math.sqrt(inputs) },
    },
    { ...common, name: `${name}.lora_b`, shape: [outputs, rank], initial: { constant: 0 } },
  ];
}

/** A parameter as it begins, drawn from (seed, place in the table, element). */
export function initialized(
  device: NativeDevice,
  { shape, initial }: ParameterSpec,
  seed: number,
  site: number,
): NativeTensor {
  const options =
    'deviation' in initial ? { deviation: initial.deviation } : { mean: initial.constant, deviation: 0 };
  return device.normal(shape, { ...options, seed, site, requiresGradient: true });
}

/**
 * The parameters of a model on its device. A model that computes in bfloat16 reads its matrices from bfloat16 copies, which
 * gather the gradients; the float32 they were made from stay as masters, which an optimizer updates and a file gets.
 */
export class ModelParameters {
  #specs: readonly ParameterSpec[];
  /** What is computed with. */
  private readonly tensors = new Map<string, NativeTensor>();
  private readonly masters = new Map<string, NativeTensor>();
  /** Goes up whenever a parameter gets another tensor, or goes. */
  changes = 0;

  private constructor(specs: readonly ParameterSpec[]) {
    this.#specs = specs;
  }

  get specs(): readonly ParameterSpec[] {
    return this.#specs;
  }

  /** New parameters, drawn from (seed, place in the table, element). */
  static initialize(device: NativeDevice, config: GlmConfig, seed: number): ModelParameters {
    const parameters = new ModelParameters(parameterTable(config));
    try {
      for (const [site, spec] of parameters.specs.entries())
        parameters.tensors.set(spec.name, initialized(device, spec, seed, site));
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
    this.changes++;
    for (const spec of this.specs) {
      const { name } = spec;
      const tensor = this.get(name);
      if (!isMatrix(spec) || tensor.dtype === 'bfloat16') continue;
      this.masters.set(name, tensor);
      this.tensors.set(name, device.trainable(tensor, 'bfloat16'));
    }
  }

  /**
   * Gives the parameters that learn float32 values in memory of their own, which an optimizer can update. The others stay as
   * they are, and ops take no gradient by them.
   */
  makeTrainable(
    device: NativeDevice,
    dtype: 'float32' | 'bfloat16',
    learns: (spec: ParameterSpec) => boolean = () => true,
  ): void {
    this.changes++;
    for (const spec of this.specs) {
      const { name } = spec;
      if (!learns(spec)) {
        this.get(name).setRequiresGradient(false);
        continue;
      }
      const [exact, tensor] = [this.exact(name), this.get(name)];
      const master = device.trainable(exact, 'float32');
      const computed = isMatrix(spec) && dtype === 'bfloat16' ? device.trainable(tensor, dtype) : master;
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

  /** From now on all parameters have gradients again. */
  unfreeze(): void {
    for (const tensor of this.tensors.values()) if (!tensor.disposed) tensor.setRequiresGradient(true);
  }

  /** Puts another tensor in a parameter's place; the old one is disposed. */
  replace(name: string, tensor: NativeTensor): void {
    this.drop(name);
    this.tensors.set(name, tensor);
  }

  /** Removes the parameters of which `which` says so. */
  remove(which: (spec: ParameterSpec) => boolean): void {
    for (const spec of this.specs) if (which(spec)) this.drop(spec.name);
    this.#specs = this.specs.filter((spec) => !which(spec));
  }

  private drop(name: string): void {
    this.changes++;
    for (const tensors of [this.tensors, this.masters]) {
      tensors.get(name)?.dispose();
      tensors.delete(name);
    }
  }

  clearGradients(): void {
    for (const tensor of this.tensors.values()) tensor.clearGradient();
  }

  dispose(): void {
    for (const tensor of [...this.tensors.values(), ...this.masters.values()]) tensor.dispose();
  }
}
