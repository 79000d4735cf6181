#pragma once

// Which of a warp's probabilities are dropped: the CPU's bits (base/dropout.h). Rows r, r + 8, r + 16 and
// r + 24 of a block of 32 are the words of one draw, so a thread that has all four draws once for them.

#include "attention/products.cuh"
#include "base/dropout.h"

namespace glm::cuda::attention {

/// The draws for one head of one example.
struct HeadDropout {
  Dropout dropout;
  int64_t origin;  // head · tokens + the example's offset

  /// The four words at column `column`, for `row` and those that share its draw.
  __device__ __forceinline__ Philox4 draw(int row, int column) const {
    return philox(dropout.seed, attention_dropout_draw(0, 0, origin, row, column).counter, dropout.site);
  }

  /// function(f, n, i) for each number that is dropped; `row` is that of the first number, a multiple of 16.
  template <int kFragments, int kTiles, class Function>
  __device__ __forceinline__ void for_each_dropped(int row, int column, const Function& function) const {
    static_assert(kFragments <= 2);
    int first_word = kFragments == 2 ? 0 : row / 8 % 4;
#pragma unroll
    for (int n = 0; n < kTiles; n++) {
#pragma unroll
      for (int e = 0; e < 2; e++) {
        Philox4 random = draw(row + fragment_row(), column + n * 8 + fragment_column() + e);
#pragma unroll
        for (int f = 0; f < kFragments; f++) {
#pragma unroll
          for (int h = 0; h < 2; h++) {
            uint32_t word = kFragments == 2 || first_word == 0 ? random.word[2 * f + h] : random.word[2 + h];
            if (word < dropout.threshold) function(f, n, 2 * h + e);
          }
        }
      }
    }
  }

  /// The same for numbers that are transposed, 32 rows of the attention across; `row` is a multiple of 32.
  template <int kFragments, class Function>
  __device__ __forceinline__ void for_each_dropped_transposed(int row, int column,
                                                              const Function& function) const {
#pragma unroll
    for (int f = 0; f < kFragments; f++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        Philox4 random = draw(row + fragment_column() + i % 2, column + f * 16 + i / 2 * 8 + fragment_row());
#pragma unroll
        for (int n = 0; n < 4; n++) {
          if (random.word[n] < dropout.threshold) function(f, n, i);
        }
      }
    }
  }
};

}  // namespace glm::cuda::attention
