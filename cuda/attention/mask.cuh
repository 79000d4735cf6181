#pragma once

// The GLM rule (base/glm_mask.h) on a warp's numbers. A warp skips what none of its rows sees, multiplies
// without a mask what all of them see, and asks the rule number by number in between.

#include "attention/products.cuh"
#include "base/glm_mask.h"

namespace glm::cuda::attention {

/// What rows [row, row_end) see: columns [0, …). Nothing where they lie behind the example.
__device__ __forceinline__ int columns_seen(int row, int row_end, int length, int context) {
  return row < length ? static_cast<int>(visible_columns(min(row_end, length), context)) : 0;
}

/// Puts `hidden` where a row from `row` on does not see a column from `column` on.
template <int kFragments, int kTiles>
__device__ __forceinline__ void mask_columns(Numbers<kFragments, kTiles>& numbers, int row, int column,
                                             int context, float hidden) {
  for_each_number<kFragments, kTiles>([&](int f, int n, int i) {
    int r = row + f * 16 + i / 2 * 8 + fragment_row(), c = column + n * 8 + fragment_column() + i % 2;
    if (c >= static_cast<int>(visible_columns(r + 1, context))) numbers[f][n][i] = hidden;
  });
}

/// The same for numbers that are transposed: their rows are columns of the attention.
template <int kFragments, int kTiles>
__device__ __forceinline__ void mask_rows(Numbers<kFragments, kTiles>& numbers, int row, int column,
                                          int context, float hidden) {
  for_each_number<kFragments, kTiles>([&](int f, int n, int i) {
    int c = column + f * 16 + i / 2 * 8 + fragment_row(), r = row + n * 8 + fragment_column() + i % 2;
    if (r < static_cast<int>(first_visible_row(c, context))) numbers[f][n][i] = hidden;
  });
}

}  // namespace glm::cuda::attention
