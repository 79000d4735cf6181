import type { NativeDropout } from '../../../ts/native.js';
import type { Example } from '../sizes.js';
import { Matrix, at } from './matrix.js';
import { attentionDropoutFactor } from './philox.js';
import type { Precision } from './precision.js';

export interface AttentionInputs {
  examples: readonly Example[];
  heads: number;
  /** [N, 3 · heads · head width]: Q, K and V, each by head */
  qkv: Matrix;
  /** [positions, head width / 2]: cos and sin of each pair, in turns */
  rotary?: Matrix | undefined;
  /** [N], with `rotary` */
  positions: Int32Array;
  blockPositions: Int32Array;
  dropout?: NativeDropout | undefined;
}

/** Where an example lies, and the width of a head. */
interface Place {
  head: number;
  offset: number;
  example: Example;
}

function* places({ examples, heads }: AttentionInputs): Generator<Place> {
  for (let head = 0; head < heads; head++) {
    let offset = 0;
    for (const example of examples) {
      yield { head, offset, example };
      offset += example.length;
    }
  }
}

/** The GLM rule: everyone sees the context, and what is not after it. */
function sees(row: number, column: number, { context }: Example): boolean {
  return column < context || column <= row;
}

/**
 * Q, K or V (`part` 0, 1, 2) of one head of one example: [length, head width]. Q and K are turned when there is a rotary table:
 * half of the head by the position, half by the block position; pair j of a half is (j, j + a quarter of the head).
 */
function headPart(
  inputs: AttentionInputs,
  { head, offset, example }: Place,
  part: number,
  precision: Precision,
): Matrix {
  const { qkv, heads } = inputs;
  const width = qkv.columns / 3 / heads;
  const values = Matrix.build(example.length, width, (i, d) =>
    qkv.get(offset + i, (part * heads + head) * width + d),
  );
  return part < 2 ? turn(inputs, values, offset, 1, precision) : values;
}

/** Turns each pair by its angle (`direction` 1) or back (-1). */
function turn(
  inputs: AttentionInputs,
  values: Matrix,
  offset: number,
  direction: 1 | -1,
  precision: Precision,
): Matrix {
  const { rotary, positions, blockPositions } = inputs;
  if (rotary === undefined) return values;
  const { round, store } = precision;
  const quarter = values.columns / 4;
  const turned = new Matrix(values.rows, values.columns);
  for (let i = 0; i < values.rows; i++) {
    for (const [half, position] of [positions, blockPositions].entries()) {
      for (let j = 0; j < quarter; j++) {
        const cos = rotary.get(at(position, offset + i), 2 * j);
        const sin = direction * rotary.get(at(position, offset + i), 2 * j + 1);
        const first = 2 * half * quarter + j;
        const [x, y] = [values.get(i, first), values.get(i, first + quarter)];
        turned.set(i, first, store(round(round(x * cos) - round(y * sin))));
        turned.set(i, first + quarter, store(round(round(x * sin) + round(y * cos))));
      }
    }
  }
  return turned;
}

/** softmax(scale · Q Kᵀ) over the columns that each row sees: [length, length] */
function probabilities(q: Matrix, k: Matrix, example: Example, { round }: Precision): Matrix {
  const scale = round(1 / Math.sqrt(q.columns));
  const p = new Matrix(q.rows, q.rows);
  for (let i = 0; i < q.rows; i++) {
    let largest = -Infinity;
    for (let j = 0; j < q.rows; j++) {
      let score = 0;
      for (let d = 0; d < q.columns; d++) score = round(score + round(q.get(i, d) * k.get(j, d)));
      p.set(i, j, sees(i, j, example) ? round(scale * score) : -Infinity);
      largest = Math.max(largest, p.get(i, j));
    }
    let sum = 0;
    for (let j = 0; j < q.rows; j++) {
      p.set(i, j, round(Math.exp(round(p.get(i, j) - largest))));
      sum = round(sum + p.get(i, j));
    }
    for (let j = 0; j < q.rows; j++) p.set(i, j, round(p.get(i, j) / sum));
  }
  return p;
}

function factors({ dropout, qkv }: AttentionInputs, { head, offset, example }: Place): Matrix {
  return Matrix.build(example.length, example.length, (i, j) =>
    sees(i, j, example) ? attentionDropoutFactor(dropout, head, qkv.rows, offset, i, j) : 0,
  );
}

/** dropout(softmax(Q Kᵀ / sqrt(head width))) · V, per example and head: [N, heads · head width] */
export function attention(inputs: AttentionInputs, precision: Precision): Matrix {
  const { round, store } = precision;
  const out = new Matrix(inputs.qkv.rows, inputs.qkv.columns / 3);
  for (const place of places(inputs)) {
    const [q, k, v] = [0, 1, 2].map((part) => headPart(inputs, place, part, precision)) as [
      Matrix,
      Matrix,
      Matrix,
    ];
    const p = probabilities(q, k, place.example, precision);
    const factor = factors(inputs, place);
    for (let i = 0; i < v.rows; i++) {
      for (let d = 0; d < v.columns; d++) {
        let sum = 0;
        for (let j = 0; j < v.rows; j++) {
          sum = round(sum + round(store(round(p.get(i, j) * factor.get(i, j))) * v.get(j, d)));
        }
        out.set(place.offset + i, place.head * v.columns + d, store(sum));
      }
    }
  }
  return out;
}

/**
 * With P the probabilities, F their dropout factors and dP = (dO · Vᵀ) ∘ F:
 * dV = (P ∘ F)ᵀ · dO, dS = P ∘ (dP - row sums of dP ∘ P), dQ = scale · dS · K, dK = scale · dSᵀ · Q, and dQ and dK turned back.
 */
export function attentionBackward(inputs: AttentionInputs, gradOut: Matrix, precision: Precision): Matrix {
  const { round, store } = precision;
  const gradQkv = new Matrix(inputs.qkv.rows, inputs.qkv.columns);
  for (const place of places(inputs)) {
    const [q, k, v] = [0, 1, 2].map((part) => headPart(inputs, place, part, precision)) as [
      Matrix,
      Matrix,
      Matrix,
    ];
    const { rows, columns } = q;
    const p = probabilities(q, k, place.example, precision);
    const factor = factors(inputs, place);
    const gradO = (i: number, d: number): number => gradOut.get(place.offset + i, place.head * columns + d);
    const scale = round(1 / Math.sqrt(columns));

    const gradS = new Matrix(rows, rows);
    for (let i = 0; i < rows; i++) {
      let rowSum = 0;
      for (let j = 0; j < rows; j++) {
        let sum = 0;
        for (let d = 0; d < columns; d++) sum = round(sum + round(gradO(i, d) * v.get(j, d)));
        gradS.set(i, j, round(sum * factor.get(i, j)));
        rowSum = round(rowSum + round(gradS.get(i, j) * p.get(i, j)));
      }
      for (let j = 0; j < rows; j++)
        gradS.set(i, j, store(round(p.get(i, j) * round(gradS.get(i, j) - rowSum))));
    }

    /** element(i, j, d) summed over j and scaled: [length, head width] */
    const sums = (element: (i: number, j: number, d: number) => number, scaled: number): Matrix =>
      Matrix.build(rows, columns, (i, d) => {
        let sum = 0;
        for (let j = 0; j < rows; j++) sum = round(sum + round(element(i, j, d)));
        return round(scaled * sum);
      });
    const gradQ = sums((i, j, d) => gradS.get(i, j) * k.get(j, d), scale);
    const gradK = sums((i, j, d) => gradS.get(j, i) * q.get(j, d), scale);
    const gradV = sums((i, j, d) => store(round(p.get(j, i) * factor.get(j, i))) * gradO(j, d), 1);

    for (const [part, gradient] of [gradQ, gradK, gradV].entries()) {
      const back = part < 2 ? turn(inputs, gradient, place.offset, -1, precision) : gradient;
      for (let i = 0; i < rows; i++) {
        for (let d = 0; d < columns; d++) {
          gradQkv.set(
            place.offset + i,
            (part * inputs.heads + place.head) * columns + d,
            store(back.get(i, d)),
          );
        }
      }
    }
  }
  return gradQkv;
}
