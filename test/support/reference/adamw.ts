import type { NativeAdamWOptions } from '../../../ts/native.js';
import { Matrix, at } from './matrix.js';
import type { Precision } from './precision.js';

export interface AdamWState {
  parameter: Matrix;
  firstMoment: Matrix;
  secondMoment: Matrix;
}

/** One step of AdamW with decoupled decay (Loshchilov & Hutter 2019, algorithm 2). */
export function adamw(
  state: AdamWState,
  gradient: Matrix,
  decay: boolean,
  options: NativeAdamWOptions,
  { round }: Precision,
): AdamWState {
  const { learningRate, beta1, beta2, epsilon, weightDecay, gradientScale, step } = options;
  const correction1 = round(1 - beta1 ** step);
  const correction2 = round(1 - beta2 ** step);
  const next = {
    parameter: state.parameter.map((x) => x),
    firstMoment: state.firstMoment.map((x) => x),
    secondMoment: state.secondMoment.map((x) => x),
  };
  gradient.data.forEach((raw, i) => {
    const g = round(round(gradientScale) * raw);
    const m = round(round(round(beta1) * at(state.firstMoment.data, i)) + round(round(1 - beta1) * g));
    const v = round(
      round(round(beta2) * at(state.secondMoment.data, i)) + round(round(1 - beta2) * round(g * g)),
    );
    let parameter = at(state.parameter.data, i);
    if (decay)
      parameter = round(parameter - round(round(round(learningRate) * round(weightDecay)) * parameter));
    const denominator = round(round(Math.sqrt(round(v / correction2))) + round(epsilon));
    const update = round(round(round(round(learningRate) / correction1) * m) / denominator);
    next.parameter.data[i] = round(parameter - update);
    next.firstMoment.data[i] = m;
    next.secondMoment.data[i] = v;
  });
  return next;
}
