import type { Precision } from './precision.js';

export type Activation = 'gelu_tanh' | 'gelu_erf' | 'tanh' | 'relu' | undefined;

/** The activation of one number. */
export function activate(activation: Activation, x: number, { round }: Precision): number {
  if (activation === 'gelu_tanh') {
    return round(round(0.5 * x) * round(1 + round(Math.tanh(tanhArgument(x, round)))));
  }
  if (activation === 'gelu_erf')
    return round(round(0.5 * x) * round(1 + round(erf(round(x * round(Math.SQRT1_2))))));
  if (activation === 'tanh') return round(Math.tanh(x));
  return activation === 'relu' ? Math.max(x, 0) : x;
}

/** Its derivative. */
export function activationSlope(activation: Activation, x: number, { round }: Precision): number {
  if (activation === 'gelu_tanh') {
    const t = round(Math.tanh(tanhArgument(x, round)));
    const cubic = round(1 + round(round(3 * 0.044715) * round(x * x)));
    const argumentSlope = round(round(Math.sqrt(2 / Math.PI)) * cubic);
    return round(
      round(0.5 * round(1 + t)) + round(round(round(0.5 * x) * round(1 - round(t * t))) * argumentSlope),
    );
  }
  if (activation === 'gelu_erf') {
    const density = round(round(1 / Math.sqrt(2 * Math.PI)) * round(Math.exp(round(-0.5 * round(x * x)))));
    const distribution = round(0.5 * round(1 + round(erf(round(x * round(Math.SQRT1_2))))));
    return round(distribution + round(x * density));
  }
  if (activation === 'tanh') return round(1 - round(round(Math.tanh(x)) ** 2));
  return activation === 'relu' && x <= 0 ? 0 : 1;
}

/** sqrt(2/π) (x + 0.044715 x³) */
function tanhArgument(x: number, round: Precision['round']): number {
  const cubic = round(round(0.044715) * round(x * round(x * x)));
  return round(round(Math.sqrt(2 / Math.PI)) * round(x + cubic));
}

/** The error function to about 1e-15: its power series near zero, a continued fraction of 1 - erf beyond. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}
