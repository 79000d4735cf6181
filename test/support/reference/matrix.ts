/** What the references compute with: a matrix of float64 numbers, whatever precision they were rounded to. */
export class Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;

  constructor(rows: number, columns: number, values?: ArrayLike<number>) {
    this.rows = rows;
    this.columns = columns;
    this.data = values === undefined ? new Float64Array(rows * columns) : Float64Array.from(values);
    if (this.data.length !== rows * columns) {
      throw new Error(`expected ${rows} × ${columns} elements, found ${this.data.length}`);
    }
  }

  static build(rows: number, columns: number, element: (row: number, column: number) => number): Matrix {
    const matrix = new Matrix(rows, columns);
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) matrix.set(i, j, element(i, j));
    return matrix;
  }

  get(row: number, column: number): number {
    return this.data[row * this.columns + column] as number;
  }

  set(row: number, column: number, value: number): void {
    this.data[row * this.columns + column] = value;
  }

  map(change: (value: number) => number): Matrix {
    return new Matrix(this.rows, this.columns, this.data.map(change));
  }
}

/** An element of an array that is known to be there. */
export function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}
