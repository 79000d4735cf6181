import { Matrix, at } from './matrix.js';

/** x[indices]: [rows, h] */
export function gatherRows(x: Matrix, indices: Int32Array): Matrix {
  return Matrix.build(indices.length, x.columns, (r, j) => x.get(at(indices, r), j));
}

/** Zero but for the rows that were gathered. */
export function gatherRowsBackward(x: Matrix, indices: Int32Array, gradOut: Matrix): Matrix {
  const gradX = new Matrix(x.rows, x.columns);
  indices.forEach((row, r) => {
    for (let j = 0; j < x.columns; j++) gradX.set(row, j, gradOut.get(r, j));
  });
  return gradX;
}
