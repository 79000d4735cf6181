/** Curves of a run of any length as a few hundred points. */

export interface Point {
  x: number;
  y: number;
}

/** Points of neighbouring steps as one. */
export interface Bucket extends Point {
  low: number;
  high: number;
}

/** At most as many buckets as the chart has pixels to show them. Values that are not finite are left out. */
export function buckets(points: readonly Point[], most = 800): Bucket[] {
  const finite = points.filter(({ y }) => Number.isFinite(y));
  const count = Math.min(most, finite.length);
  return Array.from({ length: count }, (_, i) => {
    const begin = Math.floor((i * finite.length) / count);
    const end = Math.floor(((i + 1) * finite.length) / count);
    let [x, y, low, high] = [0, 0, Infinity, -Infinity];
    for (const point of finite.slice(begin, end)) {
      x += point.x;
      y += point.y;
      low = Math.min(low, point.y);
      high = Math.max(high, point.y);
    }
    return { x: x / (end - begin), y: y / (end - begin), low, high };
  });
}

/** A moving average with weights that fall by e over 1/40 of the points; its start is not pulled towards 0. */
export function smooth(points: readonly Point[]): Point[] {
  const keep = Math.exp(-1 / Math.max(1, points.length / 40));
  let [sum, weight] = [0, 0];
  return points.map(({ x, y }) => {
    sum = keep * sum + y;
    weight = keep * weight + 1;
    return { x, y: sum / weight };
  });
}

/** Round numbers in [low, high], about `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) as number);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Powers of ten in [low, high], or where there are fewer than two, also twice and five times these. */
export function logTicks(low: number, high: number): number[] {
  const powers: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) powers.push(10 ** power);
  const within = (values: number[]) => values.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  const whole = within(powers);
  return whole.length >= 2 ? whole : within(powers.flatMap((power) => [power, 2 * power, 5 * power]));
}

/** As short as the number allows: 0.0003, 12.5k, 3.1M, 2e-5. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 1e9) return `${Number((value / 1e9).toPrecision(3))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  if (size < 1e-3) return value.toExponential().replace(/^(-?\d\.\d{1,2})\d*e/, '$1e');
  return String(Number(value.toPrecision(4)));
}
