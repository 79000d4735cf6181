import { GlmError } from '../errors.js';

/**
 * The shape of a GLM. The keys are those of `config.json` on the Hub (`GLMConfig` of the published port); keys that are
 * left out take the published models' values.
 */
export interface GlmConfig {
  num_layers: number;
  hidden_size: number;
  num_attention_heads: number;
  /** Rows of the word embedding; the tokenizer may have fewer. */
  vocab_size: number;
  /** Positions of the text, with [CLS]. The tables have one row more when there are block positions. */
  max_sequence_length: number;
  /** 2D positions: a second table for the place inside a blank. */
  block_position_encoding: boolean;
  embedding_dropout_prob: number;
  attention_dropout_prob: number;
  output_dropout_prob: number;
  initializer_range: number;
  layernorm_epsilon: number;
  /** `tanh` as the original trained, `erf` as the Hub port computes. */
  gelu: 'tanh' | 'erf';
  /** `learned` tables, as every published GLM; `rotary` turns half of each head by each kind of position. */
  position_encoding: 'learned' | 'rotary';
  /** `false`: the model gives hidden states, and no logits. */
  output_predict: boolean;
  /** Classes of a classifier on the first token; 0: the model has none. */
  num_labels: number;
  /** Trained prompts (P-tuning), for which the ids behind the vocabulary stand; null: there are none. */
  spell_length: number | null;
  /** What makes prompts of their embeddings (`model/prompt.py` of the original). */
  spell_func: 'lstm' | 'mlp' | 'none';
  /** Rank of the low-rank adapters of every linear layer (LoRA, Hu et al. 2021); 0: there are none. */
  lora_rank: number;
}

/** What `GLM.create` takes: at least the sizes. */
export type GlmConfigInput = Partial<GlmConfig> &
  Pick<
    GlmConfig,
    'num_layers' | 'hidden_size' | 'num_attention_heads' | 'vocab_size' | 'max_sequence_length'
  >;

const defaults = {
  block_position_encoding: true,
  embedding_dropout_prob: 0.1,
  attention_dropout_prob: 0.1,
  output_dropout_prob: 0.1,
  initializer_range: 0.02,
  layernorm_epsilon: 1e-5,
  gelu: 'tanh',
  position_encoding: 'learned',
  output_predict: true,
  num_labels: 0,
  spell_length: null,
  spell_func: 'lstm',
  lora_rank: 0,
} as const;

type Sizes = [
  num_layers: number,
  hidden_size: number,
  num_attention_heads: number,
  max_sequence_length: number,
];

function preset(
  [num_layers, hidden_size, num_attention_heads, max_sequence_length]: Sizes,
  vocab_size: number,
) {
  return { num_layers, hidden_size, num_attention_heads, max_sequence_length, vocab_size };
}

const bertVocabulary = 30592;
const gptVocabulary = 50304;
const chineseVocabulary = 50048;

/** The published sizes (`config_tasks/model_blocklm*.sh` of the original), and small ones to try things with. */
export const presets: Readonly<Record<string, GlmConfigInput>> = {
  'glm-tiny': preset([4, 256, 4, 256], 8192),
  'glm-mini': preset([6, 384, 6, 512], 16384),
  'glm-small': preset([8, 512, 8, 512], bertVocabulary),
  'glm-base': preset([12, 768, 12, 512], bertVocabulary),
  'glm-large': preset([24, 1024, 16, 512], bertVocabulary),
  'glm-roberta-large': preset([24, 1024, 16, 512], gptVocabulary),
  'glm-410m': preset([30, 1024, 16, 512], bertVocabulary),
  'glm-515m': preset([30, 1152, 18, 512], bertVocabulary),
  'glm-2b': preset([36, 2048, 32, 1024], gptVocabulary),
  'glm-10b': preset([48, 4096, 64, 1024], gptVocabulary),
  'glm-large-chinese': preset([24, 1024, 16, 1024], chineseVocabulary),
  'glm-10b-chinese': preset([48, 4096, 64, 1024], chineseVocabulary),
};

/** Keys of the Hub's `config.json` that change nothing here and are let through. */
const ignoredKeys = new Set([
  'model_type',
  'architectures',
  'auto_map',
  'torch_dtype',
  'transformers_version',
  'max_memory_length',
  'checkpoint_activations',
  'checkpoint_num_layers',
  'parallel_output',
  'attention_scale',
  'relative_encoding',
  'pool_token',
  'classifier_dropout',
]);

/** Whether a key of `config.json` says something about the model. */
export function isConfigKey(key: string): key is keyof GlmConfig {
  return Object.hasOwn(largest, key) || Object.hasOwn(defaults, key);
}

/** Whether a key is one of the Hub's that change nothing here. */
export function isIgnoredKey(key: string): boolean {
  return ignoredKeys.has(key);
}

/**
 * The keys of the Hub's `GLMConfig` that change nothing here, for programs that read `config.json` after us.
 * Source: `configuration_glm.py` of the published port.
 */
export const hubKeys = {
  model_type: 'glm',
  architectures: ['GLMForConditionalGeneration'],
  max_memory_length: 0,
  checkpoint_activations: false,
  checkpoint_num_layers: 1,
  parallel_output: true,
  relative_encoding: false,
  attention_scale: 1.0,
  pool_token: 'cls',
} as const;

function fail(message: string): never {
  throw new GlmError('GLM_INVALID_ARGUMENT', message);
}

/** The sizes, each with the most that is not a mistake. */
const largest: Readonly<Record<string, number>> = {
  num_layers: 1024,
  hidden_size: 65536,
  num_attention_heads: 1024,
  vocab_size: 2 ** 24,
  max_sequence_length: 2 ** 20 - 1,
};

function sizeUpTo(config: Record<string, unknown>, key: string, most: number): void {
  const value = config[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most) {
    fail(`expected ${key} to be an integer from 1 to ${most}, found ${JSON.stringify(value)}`);
  }
}

function numberIn(config: Record<string, unknown>, key: string, least: number, below: number): void {
  const value = config[key];
  if (typeof value !== 'number' || !(value >= least && value < below)) {
    fail(`expected ${key} to be a number in [${least}, ${below}), found ${JSON.stringify(value)}`);
  }
}

function oneOf(config: Record<string, unknown>, key: string, values: readonly unknown[]): void {
  if (!values.includes(config[key])) {
    const choices = values.map((value) => JSON.stringify(value)).join(' or ');
    fail(`expected ${key} to be ${choices}, found ${JSON.stringify(config[key])}`);
  }
}

/** Models of other architectures that share the name or the file. */
export function refuseOtherModels(config: Readonly<Record<string, unknown>>): void {
  const refuse = (what: string): never => {
    throw new GlmError(
      'GLM_INCOMPATIBLE_MODEL',
      `expected a GLM of the blank-infilling family, found ${what}`,
    );
  };
  if (
    config.num_layers === undefined &&
    (config.num_hidden_layers !== undefined || config.rope_theta !== undefined)
  ) {
    refuse(
      'a configuration of another architecture (num_hidden_layers, rope_theta: GLM-4); use its own library',
    );
  }
  if (config.model_type === 'chatglm' || config.padded_vocab_size !== undefined) {
    refuse('a ChatGLM or GLM-4 model (model_type chatglm, padded_vocab_size); use its own library');
  }
  if (config.relative_encoding === true)
    refuse('relative_encoding (Transformer-XL positions), which is not supported');
}

/** Checks a configuration and fills in what it leaves out. Throws `GLM_INVALID_ARGUMENT`, `GLM_INCOMPATIBLE_MODEL`. */
export function resolveConfig(input: string | GlmConfigInput): GlmConfig {
  if (typeof input === 'string') {
    const named = Object.hasOwn(presets, input) ? presets[input] : undefined;
    if (named === undefined) {
      fail(
        `expected a configuration or the name of one (${Object.keys(presets).join(', ')}), found "${input}"`,
      );
    }
    return resolveConfig(named);
  }
  if (typeof input !== 'object' || input === null)
    fail(`expected a configuration object, found ${String(input)}`);
  refuseOtherModels(input);
  const known: Record<string, unknown> = { ...defaults };
  for (const [key, value] of Object.entries(input)) {
    if (ignoredKeys.has(key) || value === undefined) continue;
    known[key] = value;
  }
  const sizes = Object.keys(largest);
  for (const [key, most] of Object.entries(largest)) sizeUpTo(known, key, most);
  for (const key of Object.keys(known)) {
    if (!sizes.includes(key) && !Object.hasOwn(defaults, key)) {
      const keys = [...sizes, ...Object.keys(defaults)].join(', ');
      fail(`expected the configuration keys ${keys}, found "${key}"; remove it or correct its spelling`);
    }
  }
  for (const key of ['embedding_dropout_prob', 'attention_dropout_prob', 'output_dropout_prob']) {
    numberIn(known, key, 0, 1);
  }
  if (known.num_labels !== 0) sizeUpTo(known, 'num_labels', 2 ** 20);
  numberIn(known, 'initializer_range', 0, 1e3);
  numberIn(known, 'layernorm_epsilon', Number.MIN_VALUE, 1);
  oneOf(known, 'block_position_encoding', [true, false]);
  oneOf(known, 'output_predict', [true, false]);
  oneOf(known, 'gelu', ['tanh', 'erf']);
  oneOf(known, 'position_encoding', ['learned', 'rotary']);
  oneOf(known, 'spell_func', ['lstm', 'mlp', 'none']);
  // A text has [CLS] and a blank beside its prompts.
  if (known.spell_length !== null) sizeUpTo(known, 'spell_length', Number(known.max_sequence_length) - 2);
  if (known.lora_rank !== 0) sizeUpTo(known, 'lora_rank', 65536);
  const config = known as unknown as GlmConfig;
  const { hidden_size, num_attention_heads } = config;
  if (hidden_size % num_attention_heads !== 0) {
    fail(
      `expected hidden_size to be a multiple of num_attention_heads, found ${hidden_size} and ${num_attention_heads}`,
    );
  }
  if (config.position_encoding === 'rotary' && (hidden_size / num_attention_heads) % 4 !== 0) {
    fail(
      `expected a head width that is a multiple of 4 for rotary positions, found ${hidden_size / num_attention_heads}`,
    );
  }
  return config;
}

/** Positions that the model knows: 0 … positionRows - 1. */
export function positionRows(config: GlmConfig): number {
  return config.max_sequence_length + (config.block_position_encoding ? 1 : 0);
}

/** The ids that stand for a model's trained prompts. */
export function promptIds({ vocab_size, spell_length }: GlmConfig): number[] {
  return Array.from({ length: spell_length ?? 0 }, (_, i) => vocab_size + i);
}
