/** The mean of some values; 0 of none. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The share of what holds, from 0 to 100. */
export function percent(holds: readonly boolean[]): number {
  return 100 * mean(holds.map(Number));
}
