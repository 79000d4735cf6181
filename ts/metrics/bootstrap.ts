/** A mean and how far it may be trusted. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}

export interface BootstrapOptions {
  /** Resamples. Default 1000. */
  samples?: number;
  /** Share of the resamples whose mean lies within the interval. Default 0.95. */
  confidence?: number;
  /** Default 0. The same seed gives the same interval. */
  seed?: number;
}

/** The mean of some values, with the interval in which the means of resamples with replacement lie (Efron 1979). */
export function bootstrapInterval(
  values: readonly number[],
  { samples = 1000, confidence = 0.95, seed = 0 }: BootstrapOptions = {},
): Interval {
  if (values.length === 0) return { mean: 0, low: 0, high: 0 };
  const random = uniform(seed);
  const means = Float64Array.from({ length: samples }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)]!;
    return sum / values.length;
  }).sort();
  const tail = (1 - confidence) / 2;
  const quantile = (share: number) => means[Math.min(samples - 1, Math.floor(share * samples))]!;
  const sum = values.reduce((sum, value) => sum + value, 0);
  return { mean: sum / values.length, low: quantile(tail), high: quantile(1 - tail) };
}

/** Numbers in [0, 1) that look random: a counter, mixed (splitmix32). */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
