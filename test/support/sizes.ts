/** The shapes that every op is tried on: one, odd, around the width of a vector (4, 8, 16), and past one tile. */

export const matrixSizes: readonly (readonly [rows: number, width: number])[] = [
  [1, 1],
  [1, 16],
  [3, 7],
  [5, 33],
  [17, 64],
  [66, 65],
  [2, 257],
  [131, 48],
];

/** Products [rows, in] · [out, in]ᵀ */
export const productSizes: readonly (readonly [rows: number, inner: number, out: number])[] = [
  [1, 1, 1],
  [1, 16, 5],
  [3, 7, 17],
  [17, 33, 64],
  [66, 65, 31],
  [5, 257, 48],
  [131, 20, 97],
  [8, 300, 70],
  [27, 530, 67],
];

export interface Example {
  length: number;
  /** The length of Part A. */
  context: number;
}

/** Packed batches of ragged examples: one token, no context, nothing but context, more rows than a tile. */
export const packedBatches: readonly (readonly Example[])[] = [
  [{ length: 1, context: 0 }],
  [
    { length: 7, context: 3 },
    { length: 1, context: 1 },
    { length: 5, context: 5 },
  ],
  [
    { length: 33, context: 20 },
    { length: 64, context: 0 },
    { length: 17, context: 17 },
  ],
  [
    { length: 130, context: 95 },
    { length: 71, context: 30 },
  ],
];

export const attentionHeads: readonly (readonly [heads: number, headWidth: number])[] = [
  [1, 8],
  [3, 13],
  [2, 16],
  [2, 64],
  [1, 72],
  [1, 256],
];
