/** The facade: one class that people use. The work is done by the folders it imports. */

import path from 'node:path';

import { writeAdapter } from './checkpoint/adapter.js';
import { openCheckpoint } from './checkpoint/checkpoint.js';
import { loadParameters } from './checkpoint/load-parameters.js';
import { configText } from './checkpoint/config-file.js';
import type { Batch } from './data/batch.js';
import { type DeviceOptions, withDevice } from './devices.js';
import { GlmError } from './errors.js';
import { writeFileAtomically } from './files.js';
import type { FillResult } from './generate/fill.js';
import { Generator } from './generate/generator.js';
import type { FillOptions } from './generate/options.js';
import type { PromptInput } from './generate/prompt.js';
import type { Choices, ScoreOptions } from './generate/score.js';
import type { StreamChunk } from './generate/stream.js';
import { type TensorToWrite, writeSafetensors } from './io/safetensors.js';
import { type GlmConfig, type GlmConfigInput, positionRows, resolveConfig } from './model/config.js';
import { mergeAdapters } from './model/adapters.js';
import { allRows, feed, rowsWithLoss } from './model/feed.js';
import { accumulateGradients, losses, sum } from './model/gradients.js';
import { Lock } from './model/lock.js';
import { ModelParameters, type ParameterSpec } from './model/parameters.js';
import { rotaryTable } from './model/rotary.js';
import { type Network, rowHiddenStates, rowLogits } from './model/transformer.js';
import { elementCount } from './shape.js';
import type { NativeDevice } from './native.js';
import { hasTokenizer } from './text/folder.js';
import { Tokenizer } from './text/tokenizer.js';

export interface CreateOptions extends DeviceOptions {
  /** Of the initial weights. Default 0. */
  seed?: number;
  tokenizer?: Tokenizer | undefined;
}

export interface LoadOptions extends DeviceOptions {
  /**
   * Keys that hold instead of the checkpoint's. A larger `max_sequence_length` extends the position tables; `lora_rank` adds
   * adapters, `spell_length` and `spell_func` prompts, `num_labels` a classifier, which begin anew.
   */
  config?: Partial<GlmConfig>;
  /** A folder that {@link GLM.saveAdapter} wrote, from the same pretrained model. */
  adapter?: string | undefined;
  /** Of weights that the checkpoint has not. Default 0. */
  seed?: number | undefined;
  signal?: AbortSignal;
  onProgress?: (progress: { loaded: number; total: number }) => void;
}

/** A GLM with its weights on a device. */
export class GLM {
  readonly tokenizer: Tokenizer | undefined;
  /** For the training loop: what the forward pass computes with, and a lock for work on the gradients. */
  readonly network: Network;
  readonly gradientLock = new Lock();
  readonly #generator: Generator;
  #disposed = false;

  private constructor(network: Network, tokenizer: Tokenizer | undefined) {
    this.network = network;
    this.tokenizer = tokenizer;
    this.#generator = new Generator(network, tokenizer);
  }

  /**
   * A new model with random weights, a function of the seed.
   * @param config the name of a preset (`'glm-base'`, …) or the keys of a Hub `config.json`
   */
  static async create(config: string | GlmConfigInput, options: CreateOptions = {}): Promise<GLM> {
    checkOptions('GLM.create', options, [
      'device',
      'dtype',
      'threads',
      'instructionSet',
      'seed',
      'tokenizer',
    ]);
    const resolved = resolveConfig(config);
    checkTokenizer(resolved, options.tokenizer);
    const seed = options.seed ?? 0;
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        `expected seed to be an integer from 0 on, found ${String(seed)}`,
      );
    }
    return withDevice(options, (device) => {
      const parameters = ModelParameters.initialize(device, resolved, seed);
      return new GLM(makeNetwork(device, resolved, parameters, options), options.tokenizer);
    });
  }

  /**
   * Loads a checkpoint: a folder of the Hub (safetensors or PyTorch files, whole or in shards), of the original or of
   * DeepSpeed (any number of model-parallel ranks), or one file. Weights are used in the mapped file where their type allows;
   * so a file that is in use must not be made shorter or written over, only replaced.
   */
  static async load(location: string, options: LoadOptions = {}): Promise<GLM> {
    checkOptions('GLM.load', options, [
      'device',
      'dtype',
      'threads',
      'instructionSet',
      'config',
      'adapter',
      'seed',
      'signal',
      'onProgress',
    ]);
    const checkpoint = await openCheckpoint(location, options.config, options.adapter);
    try {
      const tokenizer = await loadTokenizer(checkpoint.folders);
      return await withDevice(options, async (device) => {
        const parameters = await loadParameters(device, checkpoint, options);
        return new GLM(makeNetwork(device, checkpoint.config, parameters, options), tokenizer);
      });
    } finally {
      await checkpoint.close();
    }
  }

  /** Writes `config.json`, `model.safetensors` and the tokenizer's files; each appears whole or not at all. */
  async save(directory: string): Promise<void> {
    this.#check();
    const { specs } = this.network.parameters;
    await writeSafetensors(path.join(directory, 'model.safetensors'), specs.map(this.#toWrite));
    await this.tokenizer?.save(directory);
    await writeFileAtomically(path.join(directory, 'config.json'), configText(this.config));
  }

  /**
   * Writes what was added to the pretrained weights (prompts, adapters, a classifier) apart from them: `adapter.safetensors` and
   * `adapter.json`. `GLM.load(pretrained, { adapter: directory })` puts both together.
   * @throws GlmError GLM_INVALID_ARGUMENT for a model without additions, GLM_IO
   */
  async saveAdapter(directory: string): Promise<void> {
    this.#check();
    const added = this.network.parameters.specs.filter(({ addition }) => addition !== undefined);
    if (added.length === 0) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        'expected a model with prompts or adapters, found one without; load it with config: { spell_length } or { lora_rank }',
      );
    }
    await writeAdapter(directory, this.config, added.map(this.#toWrite));
  }

  /** Adds the adapters to the weights that they belong to, and removes them. */
  async mergeAdapters(): Promise<void> {
    this.#check();
    await this.gradientLock.run(() => mergeAdapters(this.network));
  }

  readonly #toWrite = ({ name, shape }: ParameterSpec): TensorToWrite => {
    const tensor = this.network.parameters.exact(name);
    return {
      name,
      type: fileTypes[tensor.dtype as keyof typeof fileTypes],
      shape,
      bytes: async () => {
        const { buffer, byteOffset, byteLength } = await tensor.read();
        return new Uint8Array(buffer, byteOffset, byteLength);
      },
    };
  };

  get config(): GlmConfig {
    return this.network.config;
  }

  get device(): string {
    return this.network.device.name;
  }

  get parameterCount(): number {
    return this.network.parameters.count;
  }

  /** Names, shapes and types of the weights, named as in `model.safetensors`. */
  parameters(): Map<string, { shape: number[]; dtype: string }> {
    this.#check();
    return new Map(
      this.network.parameters.specs.map(({ name, shape }) => [
        name,
        { shape: [...shape], dtype: this.network.parameters.exact(name).dtype },
      ]),
    );
  }

  /** The values of a weight, row-major. */
  async readParameter(name: string): Promise<Float32Array> {
    this.#check();
    const { parameters } = this.network;
    const tensor = parameters.find(name) && parameters.exact(name);
    if (tensor === undefined) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        `expected the name of a parameter, found "${name}"; parameters() lists them`,
      );
    }
    if (tensor.dtype === 'float32') return (await tensor.read()) as Float32Array;
    const floats = this.network.device.trainable(tensor, 'float32');
    const values = floats.read();
    floats.dispose();
    return (await values) as Float32Array;
  }

  /** Logits of every token, or of the tokens in `rows`: [N or rows.length, vocab_size], row-major. */
  async forward(batch: Batch, options: { rows?: Int32Array } = {}): Promise<{ logits: Float32Array }> {
    return { logits: await this.#compute('forward', rowLogits, batch, options) };
  }

  /** The last layer's hidden states of every token, or of the tokens in `rows`: [N or rows.length, hidden_size], row-major. */
  async hiddenStates(
    batch: Batch,
    options: { rows?: Int32Array } = {},
  ): Promise<{ hiddenStates: Float32Array }> {
    return { hiddenStates: await this.#compute('hiddenStates', rowHiddenStates, batch, options) };
  }

  /** Mean cross-entropy over the loss tokens (natural logarithm), and their number. No loss token: 0. */
  async loss(batch: Batch): Promise<{ loss: number; tokens: number }> {
    this.#check();
    const values = await losses(this.network, batch);
    return { loss: values.length === 0 ? 0 : sum(values) / values.length, tokens: values.length };
  }

  /** The loss and its gradient by every parameter; dropout off, unclipped. Parameters stay as they are. */
  async gradients(batch: Batch): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
    this.#check();
    const tokens = rowsWithLoss(batch).rows.length;
    return this.gradientLock.run(async () => {
      const { parameters } = this.network;
      try {
        const pending = accumulateGradients(this.network, batch, { gradientScale: 1 / Math.max(tokens, 1) });
        const reads = Promise.all(
          parameters.specs.map(async ({ name, shape }) => {
            const gradient =
              tokens > 0 ? await parameters.get(name).readGradient() : new Float32Array(elementCount(shape));
            return [name, gradient as Float32Array] as const;
          }),
        );
        reads.catch(() => undefined); // the losses reject first when a kernel has failed
        const values = await pending;
        return { loss: tokens === 0 ? 0 : sum(values) / tokens, gradients: new Map(await reads) };
      } finally {
        parameters.clearGradients();
      }
    });
  }

  /**
   * Fills the blanks of a text, in order of position; a text without one is continued. Token ids (Int32Array) are taken
   * as they are. An array gives an array of results. Calls that run at the same time are computed together.
   */
  fill(input: PromptInput, options?: FillOptions): Promise<FillResult>;
  fill(input: readonly PromptInput[], options?: FillOptions): Promise<FillResult[]>;
  fill(
    input: PromptInput | readonly PromptInput[],
    options?: FillOptions,
  ): Promise<FillResult | FillResult[]> {
    return this.#generator.fill(input as PromptInput, options);
  }

  /**
   * Fills like `fill`, and gives the tokens as they come. The text of a chunk holds whole characters. Leaving the loop
   * stops the work; a reader who pauses pauses it.
   */
  stream(input: PromptInput, options?: FillOptions): AsyncGenerator<StreamChunk, void, void> {
    return this.#generator.stream(input, options);
  }

  /**
   * The log-probability of each choice in a text's first blank: the sum over its tokens, encoded as they are given.
   * For an array of texts, `choices` is one list for all of them or a list for each.
   */
  score(input: PromptInput, choices: Choices, options?: ScoreOptions): Promise<Float32Array>;
  score(
    input: readonly PromptInput[],
    choices: Choices | readonly Choices[],
    options?: ScoreOptions,
  ): Promise<Float32Array[]>;
  score(
    input: PromptInput | readonly PromptInput[],
    choices: Choices | readonly Choices[],
    options?: ScoreOptions,
  ): Promise<Float32Array | Float32Array[]> {
    return this.#generator.score(input as PromptInput, choices as Choices, options);
  }

  /** Gives the memory back. Using the model afterwards throws `GLM_DISPOSED`. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#generator.dispose();
    this.network.parameters.dispose();
    this.network.rotary?.dispose();
    this.network.device.trim();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #compute(
    where: string,
    compute: typeof rowLogits,
    batch: Batch,
    options: { rows?: Int32Array },
  ): Promise<Float32Array> {
    this.#check();
    checkOptions(where, options, ['rows']);
    const wanted = options.rows === undefined ? allRows(batch) : { rows: options.rows };
    const input = feed(this.network, batch, wanted);
    const tensor = compute(this.network, input);
    input.dispose();
    const values = tensor.read();
    tensor.dispose();
    return (await values) as Float32Array;
  }

  #check(): void {
    if (this.#disposed) {
      throw new GlmError(
        'GLM_DISPOSED',
        'expected a live model, found one that was disposed; load or create it again',
      );
    }
  }
}

const fileTypes = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const;

/** Throws `GLM_INVALID_ARGUMENT` for an option that does not exist. */
function checkOptions(where: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected the options of ${where} to be an object, found ${String(options)}`,
    );
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        `expected the options ${known.join(', ')} for ${where}, found "${key}"`,
      );
    }
  }
}

function checkTokenizer(config: GlmConfig, tokenizer: Tokenizer | undefined): void {
  if (tokenizer !== undefined && tokenizer.vocabSize > config.vocab_size) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected vocab_size to be at least the tokenizer's ${tokenizer.vocabSize} tokens, found ${config.vocab_size}`,
    );
  }
}

/** Takes the parameters over: they are disposed when it throws. */
function makeNetwork(
  device: NativeDevice,
  config: GlmConfig,
  parameters: ModelParameters,
  { dtype = 'float32' }: DeviceOptions,
): Network {
  try {
    if (dtype === 'bfloat16') parameters.computeInBFloat16(device);
    if (config.position_encoding === 'learned') return { device, config, parameters, dtype };
    const headWidth = config.hidden_size / config.num_attention_heads;
    const positions = positionRows(config);
    const table = rotaryTable(positions, headWidth);
    const rotary = device.tensor([positions, headWidth / 4, 2], 'float32', table, false);
    return { device, config, parameters, dtype, rotary };
  } catch (error) {
    parameters.dispose();
    device.trim();
    throw error;
  }
}

/** The tokenizer of the first folder that has one. */
async function loadTokenizer(folders: readonly string[]): Promise<Tokenizer | undefined> {
  for (const folder of folders) if (await hasTokenizer(folder)) return Tokenizer.load(folder);
  return undefined;
}
