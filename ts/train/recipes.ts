import type { BlankInfillingOptions } from '../data/blank-infilling.js';
import { GlmError } from '../errors.js';
import type { OptimizerOptions } from './optimizer.js';
import type { Schedule } from './schedule.js';

/** A published way of pretraining. */
export interface Recipe {
  /** The name of a preset. */
  model: string;
  description: string;
  objective: Omit<BlankInfillingOptions, 'tokenizer' | 'maxLength'>;
  optimizer: Required<OptimizerOptions>;
  schedule: Schedule;
  steps: number;
  /** Examples of an optimizer step, over all micro-batches. */
  examplesPerStep: number;
  dropout: number;
  clip: number;
}

const adam = { beta1: 0.9, beta2: 0.98, epsilon: 1e-6 };
const common = { dropout: 0.1, clip: 1 };

/** BERT's corpus: the paper's appendix A; the floor of the schedule is that of the original's `ds_block_base.sh`. */
const base = {
  ...common,
  model: 'glm-base',
  optimizer: { ...adam, learningRate: 4e-4, weightDecay: 0.1 },
  schedule: { style: 'cosine', warmup: 6000, decay: 114_000, ratio: 0.05 },
  steps: 120_000,
  examplesPerStep: 1024,
} as const;
/** The same, with `ds_block_large.sh`: the rate is at its floor for the last 40,000 steps. */
const large = {
  ...common,
  model: 'glm-large',
  optimizer: { ...adam, learningRate: 2e-4, weightDecay: 0.1 },
  schedule: { style: 'cosine', warmup: 8000, decay: 152_000, ratio: 0.05 },
  steps: 200_000,
  examplesPerStep: 1024,
} as const;

const blanks = {
  description: 'short blanks alone (paper, section 2.1)',
  objective: { mix: { blank: 1 } },
};
const documents = {
  description: 'short blanks and long documents, half and half (GLM-Doc; paper, section 2.2)',
  objective: { mix: { blank: 0.5, document: 0.5 } },
};
const sentences = {
  description: 'short blanks and sentences, half and half (GLM-Sent; paper, section 2.2)',
  objective: { mix: { blank: 0.5, sentence: 0.5 } },
};

/** Blanks, sentences and documents, each with a mask of its own: `ds_block_10B.sh` and `ds_blockta_large.sh`. */
const mixed = {
  description: 'blanks, sentences and documents mixed, with their own masks (the 10B models)',
  objective: {
    mix: { blank: 0.5, sentence: 0.3, document: 0.2 },
    minDocumentRatio: 0.25,
    spanMaskProbability: 0.1,
    shortSequenceProbability: 0.02,
  },
};

/** The published models, by name: sizes, objective, optimizer and schedule (paper, appendix A, and the original's config folder). */
export const recipes: Readonly<Record<string, Recipe>> = {
  'glm-base': { ...base, ...blanks },
  'glm-doc-base': { ...base, ...documents },
  'glm-sent-base': { ...base, ...sentences },
  'glm-large': { ...large, ...blanks },
  'glm-doc-large': { ...large, ...documents },
  'glm-sent-large': { ...large, ...sentences },
  // `ds_blockta_large.sh` plans 500,000 steps; the paper's model was stopped at half of them.
  'glm-roberta-large': {
    ...large,
    ...mixed,
    model: 'glm-roberta-large',
    optimizer: { ...adam, learningRate: 4e-4, weightDecay: 0.01 },
    schedule: { style: 'linear', warmup: 30_000, decay: 470_000, ratio: 0.025 },
    steps: 250_000,
    examplesPerStep: 8192,
  },
  'glm-10b': {
    ...common,
    ...mixed,
    model: 'glm-10b',
    optimizer: { ...adam, beta2: 0.95, epsilon: 1e-8, learningRate: 1e-4, weightDecay: 0.1 },
    schedule: { style: 'cosine', warmup: 7000, decay: 168_000, ratio: 0.1 },
    steps: 250_000,
    examplesPerStep: 4096,
  },
};

/** The recipe of this name. Throws `GLM_INVALID_ARGUMENT`. */
export function findRecipe(name: string): Recipe {
  const recipe = Object.hasOwn(recipes, name) ? recipes[name] : undefined;
  if (recipe !== undefined) return recipe;
  throw new GlmError(
    'GLM_INVALID_ARGUMENT',
    `expected the name of a recipe (${Object.keys(recipes).join(', ')}), found "${name}"`,
  );
}

/** The recipe's schedule, for another number of steps stretched or shrunk with them; a warm-up that is given stays as it is. */
export function scheduleFor(
  { schedule, steps: planned }: Recipe,
  { steps = planned, warmup }: { steps?: number | undefined; warmup?: number | undefined },
): Schedule {
  const scaled = (count: number) => Math.round((count * steps) / planned);
  const rising = warmup ?? scaled(schedule.warmup);
  const end = Math.max(scaled(schedule.warmup + schedule.decay), rising + 1);
  return { ...schedule, warmup: rising, decay: end - rising };
}
