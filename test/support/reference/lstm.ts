import { Matrix } from './matrix.js';
import type { Precision } from './precision.js';

/** One direction of a layer of width h over T steps. */
export interface LstmDirection {
  /** [T, 4h] */
  gates: Matrix;
  /** [4h, h] */
  weight: Matrix;
  /** [1, 4h] */
  bias: Matrix;
}

/** What a direction computes at each step: vectors of h. */
interface Step {
  i: number[];
  f: number[];
  g: number[];
  o: number[];
  cell: number[];
  out: number[];
}

/** Steps in the order of the text, whichever way they were gone through. */
function recurrence({ gates, weight, bias }: LstmDirection, reverse: boolean, { round }: Precision): Step[] {
  const h = weight.columns;
  const sigmoid = (x: number) => round(1 / round(1 + round(Math.exp(-x))));
  const tanh = (x: number) => round(Math.tanh(x));
  const steps: Step[] = [];
  let [out, cell] = [new Array<number>(h).fill(0), new Array<number>(h).fill(0)];
  for (const t of placesOf(gates.rows, reverse)) {
    const [lastOut, lastCell] = [out, cell];
    const a = Array.from({ length: 4 * h }, (_, row) => {
      const product = lastOut.reduce((sum, x, j) => round(sum + round(x * weight.get(row, j))), 0);
      return round(round(gates.get(t, row) + bias.get(0, row)) + product);
    });
    const quarter = (q: number, bend: (x: number) => number) => a.slice(q * h, (q + 1) * h).map(bend);
    const [i, f, g, o] = [quarter(0, sigmoid), quarter(1, sigmoid), quarter(2, tanh), quarter(3, sigmoid)];
    cell = lastCell.map((c, j) => round(round(f[j]! * c) + round(i[j]! * g[j]!)));
    out = cell.map((c, j) => round(o[j]! * tanh(c)));
    steps[t] = { i, f, g, o, cell, out };
  }
  return steps;
}

function placesOf(steps: number, reverse: boolean): number[] {
  const places = Array.from({ length: steps }, (_, t) => t);
  return reverse ? places.reverse() : places;
}

/** [T, 2h] */
export function lstm(pair: readonly LstmDirection[], precision: Precision): Matrix {
  const h = pair[0]!.weight.columns;
  const both = pair.map((direction, d) => recurrence(direction, d === 1, precision));
  return Matrix.build(pair[0]!.gates.rows, 2 * h, (t, j) => both[Math.floor(j / h)]![t]!.out[j % h]!);
}

/** The gradients of each direction's gates, weight and bias. */
export function lstmBackward(pair: readonly LstmDirection[], gradOut: Matrix, precision: Precision) {
  const { round } = precision;
  return pair.map((direction, d) => {
    const h = direction.weight.columns;
    const steps = recurrence(direction, d === 1, precision);
    const places = placesOf(steps.length, d === 1);
    const gradGates = new Matrix(steps.length, 4 * h);
    const gradWeight = new Matrix(4 * h, h);
    const gradBias = new Matrix(1, 4 * h);
    const toCell = new Array<number>(h).fill(0);
    let toOut = new Array<number>(h).fill(0);
    for (let k = places.length - 1; k >= 0; k--) {
      const t = places[k]!;
      const { i, f, g, o, cell } = steps[t]!;
      const before = k > 0 ? steps[places[k - 1]!] : undefined;
      for (let j = 0; j < h; j++) {
        const bent = round(Math.tanh(cell[j]!));
        const grad = round(gradOut.get(t, d * h + j) + toOut[j]!);
        const gradCell = round(round(round(grad * o[j]!) * round(1 - round(bent * bent))) + toCell[j]!);
        toCell[j] = round(gradCell * f[j]!);
        const ofSigmoid = (y: number) => round(y * round(1 - y));
        const gradients = [
          round(round(gradCell * g[j]!) * ofSigmoid(i[j]!)),
          round(round(gradCell * (before?.cell[j] ?? 0)) * ofSigmoid(f[j]!)),
          round(round(gradCell * i[j]!) * round(1 - round(g[j]! * g[j]!))),
          round(round(grad * bent) * ofSigmoid(o[j]!)),
        ];
        gradients.forEach((gradient, q) => gradGates.set(t, q * h + j, gradient));
      }
      toOut = new Array<number>(h).fill(0);
      for (let row = 0; row < 4 * h; row++) {
        const gradient = gradGates.get(t, row);
        gradBias.set(0, row, round(gradBias.get(0, row) + gradient));
        for (let j = 0; j < h; j++) {
          const last = before?.out[j] ?? 0;
          gradWeight.set(row, j, round(gradWeight.get(row, j) + round(gradient * last)));
          toOut[j] = round(toOut[j]! + round(gradient * direction.weight.get(row, j)));
        }
      }
    }
    return { gradGates, gradWeight, gradBias };
  });
}
