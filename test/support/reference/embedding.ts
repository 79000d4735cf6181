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
  /** Rows behind the words. */
  prompts?: Matrix | undefined;
  /** [P, h] */
  positionTable?: Matrix | undefined;
  blockTable?: Matrix | undefined;
  dropout?: NativeDropout | undefined;
}

/** The table in which the row of an id is, and where. */
function rowOf(id: number, words: Matrix, prompts: Matrix | undefined): readonly [Matrix, number] {
  return prompts === undefined || id < words.rows ? [words, id] : [prompts, id - words.rows];
}

/** dropout(words[ids] + positionTable[positions] + blockTable[blockPositions]): [N, h] */
export function embedding(inputs: EmbeddingInputs, { round, store }: Precision): Matrix {
  const { ids, positions, blockPositions, words, prompts, positionTable, blockTable } = inputs;
  const width = words.columns;
  return Matrix.build(ids.length, width, (i, j) => {
    const [table, row] = rowOf(at(ids, i), words, prompts);
    let sum = table.get(row, j);
    if (positionTable) sum = round(sum + positionTable.get(at(positions, i), j));
    if (blockTable) sum = round(sum + blockTable.get(at(blockPositions, i), j));
    return store(sum * dropoutFactor(inputs.dropout, i * width + j));
  });
}

/** Every token adds its gradient to the rows that it was made of. */
export function embeddingBackward(inputs: EmbeddingInputs, gradOut: Matrix, { round }: Precision) {
  const width = inputs.words.columns;
  const gradWords = new Matrix(inputs.words.rows, width);
  const gradPrompts = new Matrix(inputs.prompts?.rows ?? 0, width);
  const gradPositions = new Matrix(inputs.positionTable?.rows ?? 0, width);
  const gradBlocks = new Matrix(inputs.blockTable?.rows ?? 0, width);
  const add = (table: Matrix, row: number, column: number, gradient: number): void =>
    table.set(row, column, round(table.get(row, column) + gradient));

  inputs.ids.forEach((id, i) => {
    for (let j = 0; j < width; j++) {
      const gradient = round(gradOut.get(i, j) * dropoutFactor(inputs.dropout, i * width + j));
      add(...rowOf(id, gradWords, gradPrompts), j, gradient);
      if (inputs.positionTable) add(gradPositions, at(inputs.positions, i), j, gradient);
      if (inputs.blockTable) add(gradBlocks, at(inputs.blockPositions, i), j, gradient);
    }
  });
  return { gradWords, gradPrompts, gradPositions, gradBlocks };
}
