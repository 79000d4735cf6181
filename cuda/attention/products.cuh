#pragma once

// Products of a warp: kFragments · 16 rows, of which it loads an operand once for all of them.

#include "attention/tiles.cuh"

namespace glm::cuda::attention {

/// A warp's numbers [kFragments · 16, kTiles · 8] in registers, as C fragments.
template <int kFragments, int kTiles>
using Numbers = float[kFragments][kTiles][4];

/// function(f, n, i): number i of fragment (f, n). Its row is f · 16 + i / 2 · 8 + fragment_row(), its column
/// n · 8 + fragment_column() + i % 2.
template <int kFragments, int kTiles, class Function>
__device__ __forceinline__ void for_each_number(const Function& function) {
#pragma unroll
  for (int f = 0; f < kFragments; f++) {
#pragma unroll
    for (int n = 0; n < kTiles; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) function(f, n, i);
    }
  }
}

/// out += A Bᵀ for rows of `left` from `left_row` and of `right` from `right_row` on, over the width. Of its
/// steps, `kUnrolled` are one piece of code: more are fewer instructions and more fragments in registers.
template <int kUnrolled, int kFragments, int kTiles, int kWidth>
__device__ __forceinline__ void multiply_rows(Numbers<kFragments, kTiles>& out, SharedRows<kWidth> left,
                                              int left_row, SharedRows<kWidth> right, int right_row) {
#pragma unroll kUnrolled
  for (int k = 0; k < kWidth / 16; k++) {
    uint32_t a[kFragments][4];
#pragma unroll
    for (int f = 0; f < kFragments; f++) load_left(a[f], left, left_row + f * 16, k);
#pragma unroll
    for (int n = 0; n < kTiles; n += 2) {
      uint32_t b[4];
      load_right(b, right, right_row + n * 8, k);
#pragma unroll
      for (int f = 0; f < kFragments; f++) {
        multiply_add(out[f][n], a[f], b[0], b[1]);
        multiply_add(out[f][n + 1], a[f], b[2], b[3]);
      }
    }
  }
}

/// out += W B with weights in registers, rounded to bfloat16, and kTiles · 8 rows of `right` from `row` on.
/// C fragments of W are its A fragments.
template <int kFragments, int kTiles, int kWidth>
__device__ __forceinline__ void multiply_weights(Numbers<kFragments, kWidth / 8>& out,
                                                 const Numbers<kFragments, kTiles>& weights,
                                                 SharedRows<kWidth> right, int row) {
#pragma unroll
  for (int k = 0; k < kTiles / 2; k++) {
    uint32_t a[kFragments][4];
#pragma unroll
    for (int f = 0; f < kFragments; f++) {
      const float(&low)[4] = weights[f][2 * k], (&high)[4] = weights[f][2 * k + 1];
      a[f][0] = pack(low[0], low[1]);
      a[f][1] = pack(low[2], low[3]);
      a[f][2] = pack(high[0], high[1]);
      a[f][3] = pack(high[2], high[3]);
    }
#pragma unroll
    for (int n = 0; n < kWidth / 16; n++) {
      uint32_t b[4];
      load_right_of_rows(b, right, row + k * 16, n);
#pragma unroll
      for (int f = 0; f < kFragments; f++) {
        multiply_add(out[f][2 * n], a[f], b[0], b[1]);
        multiply_add(out[f][2 * n + 1], a[f], b[2], b[3]);
      }
    }
  }
}

}  // namespace glm::cuda::attention
