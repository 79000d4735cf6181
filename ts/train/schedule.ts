import { GlmError } from '../errors.js';

export interface ScheduleOptions {
  /** How the rate falls after warm-up. Default `cosine`. */
  style?: 'cosine' | 'linear' | 'constant';
  /** Steps from 0 up to the learning rate. Default 0. */
  warmup?: number;
  /** Steps from there down to `ratio`. Default: the steps that remain. */
  decay?: number;
  /** What is left in the end, as a share of the learning rate. Default 0.1. */
  ratio?: number;
}

export type Schedule = Required<ScheduleOptions>;

/** Fills in what is left out, and checks. */
export function resolveSchedule(options: ScheduleOptions, steps: number): Schedule {
  const { style = 'cosine', warmup = 0, ratio = 0.1 } = options;
  const decay = options.decay ?? Math.max(1, steps - warmup);
  if (!['cosine', 'linear', 'constant'].includes(style)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected schedule.style cosine, linear or constant, found "${String(style)}"`,
    );
  }
  if (!(warmup >= 0) || !(decay >= 1) || !(ratio >= 0 && ratio <= 1)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected schedule.warmup from 0, schedule.decay from 1 and schedule.ratio in [0, 1], found ${warmup}, ${decay} and ${ratio}`,
    );
  }
  return { style, warmup, decay, ratio };
}

/**
 * The rate of a step, counted from 0: `peak · step / warmup` up to `warmup`, then down over `decay` steps to `ratio · peak`,
 * and level from there (`learning_rates.py` of the original, whose linear decay falls below its floor; this one does not).
 */
export function learningRate(peak: number, { style, warmup, decay, ratio }: Schedule, step: number): number {
  if (step < warmup) return (peak * step) / warmup;
  const passed = Math.min(1, (step - warmup) / decay);
  switch (style) {
    case 'constant':
      return peak;
    case 'linear':
      return peak * (ratio + (1 - ratio) * (1 - passed));
    case 'cosine':
      return peak * (ratio + ((1 - ratio) * (1 + Math.cos(Math.PI * passed))) / 2);
  }
}
