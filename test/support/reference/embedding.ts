import type { NativeDropout } from '../../../ts/native.js';
import { Matrix, at } from './matrix.js';
import { dropoutFactor } from './philox.js';
import type { Precision } from './precision.js';

export interface EmbeddingInputs {
  ids: Int32Array;
  positions: Int32Array;
  blockPositions: Int32Array;
  /** [V, h] */
  words: Matrix;
  /** [P, h] */
  positionTable?: Matrix | undefined;
  blockTable?: Matrix | undefined;
  dropout?: NativeDropout | undefined;
}

/** dropout(words[ids] + positionTable[positions] + blockTable[blockPositions]): [N, h] */
export function embedding(inputs: EmbeddingInputs, { round, store }: Precision): Matrix {
  const { ids, positions, blockPositions, words, positionTable, blockTable } = inputs;
  const width = words.columns;
  return Matrix.build(ids.length, width, (i, j) => {
    let sum = words.get(at(ids, i), j);
    if (positionTable) sum = round(sum + positionTable.get(at(positions, i), j));
    if (blockTable) sum = round(sum + blockTable.get(at(blockPositions, i), j));
    return store(sum * dropoutFactor(inputs.dropout, i * width + j));
  });
}

/** Every token adds its gradient to the rows that it was made of. */
export function embeddingBackward(inputs: EmbeddingInputs, gradOut: Matrix, { round }: Precision) {
  const width = inputs.words.columns;
  const gradWords = new Matrix(inputs.words.rows, width);
  const gradPositions = new Matrix(inputs.positionTable?.rows ?? 0, width);
  const gradBlocks = new Matrix(inputs.blockTable?.rows ?? 0, width);
  const add = (table: Matrix, row: number, column: number, gradient: number): void =>
    table.set(row, column, round(table.get(row, column) + gradient));

  inputs.ids.forEach((id, i) => {
    for (let j = 0; j < width; j++) {
      const gradient = round(gradOut.get(i, j) * dropoutFactor(inputs.dropout, i * width + j));
      add(gradWords, id, j, gradient);
      if (inputs.positionTable) add(gradPositions, at(inputs.positions, i), j, gradient);
      if (inputs.blockTable) add(gradBlocks, at(inputs.blockPositions, i), j, gradient);
    }
  });
  return { gradWords, gradPositions, gradBlocks };
}
