/**
 * Tests of distributions. Each gives a number that is standard normal (about) when the hypothesis holds; a test rejects
 * at the level 0.001, two-sided for means and one-sided for chi-square: beyond 3.29 or 3.09.
 */

export const rejectTwoSided = 3.29;
export const rejectOneSided = 3.09;

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Central moment of the given order. */
function moment(values: readonly number[], order: number): number {
  const center = mean(values);
  return mean(values.map((value) => (value - center) ** order));
}

export function deviation(values: readonly number[]): number {
  return Math.sqrt((moment(values, 2) * values.length) / (values.length - 1));
}

/** Welch's test: are these values from a population with that sample's mean? */
export function meanAgainstSample(
  values: readonly number[],
  sample: { mean: number; deviation: number; count: number },
): number {
  const variance = deviation(values) ** 2 / values.length + sample.deviation ** 2 / sample.count;
  return (mean(values) - sample.mean) / Math.sqrt(variance);
}

/** The same of the standard deviation, through the logarithm of the variance; its spread follows from the kurtosis. */
export function deviationAgainstSample(
  values: readonly number[],
  sample: { deviation: number; count: number },
): number {
  const kurtosis = moment(values, 4) / moment(values, 2) ** 2;
  const difference = 2 * Math.log(deviation(values) / sample.deviation);
  return difference / Math.sqrt((kurtosis - 1) * (1 / values.length + 1 / sample.count));
}

/** `successes` of `trials` with probability p. */
export function binomial(successes: number, trials: number, p: number): number {
  return (successes - trials * p) / Math.sqrt(trials * p * (1 - p));
}

/** Wilson and Hilferty's transformation of a chi-square value with that many degrees of freedom. */
export function chiSquareScore(value: number, degrees: number): number {
  const spread = 2 / (9 * degrees);
  return ((value / degrees) ** (1 / 3) - (1 - spread)) / Math.sqrt(spread);
}

/** Pearson's test of counts against probabilities. Neighbouring cells are joined until 10 are expected in each. */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const cells: { count: number; expected: number }[] = [{ count: 0, expected: 0 }];
  for (const [i, probability] of probabilities.entries()) {
    let cell = cells.at(-1) as { count: number; expected: number };
    if (cell.expected >= 10) cells.push((cell = { count: 0, expected: 0 }));
    cell.count += counts[i] ?? 0;
    cell.expected += total * probability;
  }
  const last = cells.at(-1) as { count: number; expected: number };
  if (last.expected < 10 && cells.length > 1) {
    cells.pop();
    const before = cells.at(-1) as { count: number; expected: number };
    before.count += last.count;
    before.expected += last.expected;
  }
  const value = cells.reduce((sum, { count, expected }) => sum + (count - expected) ** 2 / expected, 0);
  return chiSquareScore(value, cells.length - 1);
}

/** Pearson's test of two samples: are both from one population? Cells must have counts in either. */
export function chiSquareOfTwo(first: readonly number[], second: readonly number[]): number {
  const totals = [first, second].map((counts) => counts.reduce((sum, count) => sum + count, 0)) as [
    number,
    number,
  ];
  let value = 0;
  for (const [i, count] of first.entries()) {
    const other = second[i] ?? 0;
    value += (count * totals[1] - other * totals[0]) ** 2 / (count + other);
  }
  return chiSquareScore(value / (totals[0] * totals[1]), first.length - 1);
}

/**
 * Shares in which clustered things fall into cells, against the shares that another sample of the same process had
 * (Hotelling's test; the covariance of the shares is estimated from the clusters, `counts[cluster][cell]`).
 */
export function sharesAgainstSample(
  counts: readonly (readonly number[])[],
  shares: readonly number[],
  clusters: number,
): number {
  const cells = shares.length;
  const sums = shares.map((_, cell) => counts.reduce((sum, cluster) => sum + (cluster[cell] as number), 0));
  const total = sums.reduce((sum, count) => sum + count, 0);
  const own = sums.map((sum) => sum / total);
  const perCluster = total / counts.length;
  // The last share follows from the others.
  const covariance = Array.from({ length: cells - 1 }, () => new Float64Array(cells - 1));
  for (const cluster of counts) {
    const size = cluster.reduce((sum, count) => sum + count, 0);
    const residual = cluster.map((count, cell) => (count - (own[cell] as number) * size) / perCluster);
    for (const [i, row] of covariance.entries())
      for (let j = 0; j < cells - 1; j++)
        row[j] = (row[j] as number) + ((residual[i] as number) * (residual[j] as number)) / counts.length;
  }
  const factor = 1 / counts.length + 1 / clusters;
  const difference = own.slice(0, -1).map((share, cell) => share - (shares[cell] as number));
  const solved = solve(
    covariance.map((row) => [...row].map((value) => value * factor)),
    difference,
  );
  const value = solved.reduce((sum, x, i) => sum + x * (difference[i] as number), 0);
  return chiSquareScore(value, cells - 1);
}

/** Gaussian elimination, for a positive definite matrix. */
function solve(matrix: number[][], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i] as number]);
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    const pivot = rows[i] as number[];
    for (const row of rows.slice(i + 1)) {
      const factor = (row[i] as number) / (pivot[i] as number);
      for (let j = i; j <= n; j++) row[j] = (row[j] as number) - factor * (pivot[j] as number);
    }
  }
  const out = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    const row = rows[i] as number[];
    let value = row[n] as number;
    for (let j = i + 1; j < n; j++) value -= (row[j] as number) * (out[j] as number);
    out[i] = value / (row[i] as number);
  }
  return out;
}
