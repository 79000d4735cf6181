#pragma once

// Pieces of the kernels for any head width and type: products of tiles of 64 rows through shared memory.
//
// A block has 16 × 16 threads, each with 4 × 4 numbers of a 64 × 64 product. Operands pass through shared
// memory in pieces, so its size does not depend on the head width D. Rows of a thread are 8 apart within 32:
// they share dropout counters (base/dropout.h). Its columns are 16 apart, so the 16 threads of a row are half
// a warp, and sums over columns are shuffles.

#include <cstdint>

#include "attention/head_rows.cuh"
#include "attention/schedule.h"
#include "attention/softmax.cuh"
#include "base/glm_mask.h"
#include "device/reduce.cuh"

namespace glm::cuda::attention::general {

constexpr int kTile = 64;       // rows, columns, and columns of an output at once
constexpr int kThreads = 256;   // 16 × 16
constexpr int kDepth = 32;      // of the summed dimension, in shared memory at once
constexpr int kMostChunks = 2;  // of kTile output columns that a block accumulates

/// Blocks for `tiles` tiles: x for each tile and head, y for each group of output columns.
template <class Params>
dim3 grid(const Params& p, unsigned tiles) {
  int columns = p.head_width <= kTile ? kTile : kMostChunks * kTile;
  return {tiles * static_cast<unsigned>(p.heads),
          static_cast<unsigned>((p.head_width + columns - 1) / columns)};
}

/// Calls function(T{}, chunks) with the type, and how many chunks of output columns a block accumulates.
template <class Params, class Function>
void with_shape(const Params& p, const Function& function) {
  with_element_type(p.dtype, [&](auto zero) {
    if (p.head_width <= kTile) {
      function(zero, std::integral_constant<int, 1>{});
    } else {
      function(zero, std::integral_constant<int, kMostChunks>{});
    }
  });
}

/// 4 × 4 numbers of a thread: [i][j] is at (row_of(i), column_of(j)) of the tile.
using Fragment = float[4][4];

__device__ __forceinline__ int row_of(int i) {
  int y = static_cast<int>(threadIdx.x) / 16;
  return (y >> 3) * 32 + i * 8 + (y & 7);
}
__device__ __forceinline__ int column_of(int j) { return static_cast<int>(threadIdx.x) % 16 + j * 16; }

/// function(i, j) for each number of a fragment.
template <class Function>
__device__ __forceinline__ void for_each(const Function& function) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) function(i, j);
  }
}

/// Over the 16 threads that have the same rows.
template <class Combine>
__device__ __forceinline__ float reduce_row(float x, Combine combine) {
  return warp_reduce<16>(x, combine);
}

/// Which column of an output [64, D] is the `n`-th that blocks accumulate. With rotary positions pairs are
/// brought 32 apart, so that one thread has both of a pair.
struct ColumnOrder {
  int32_t width;
  bool in_pairs;

  __device__ int operator()(int n) const {
    if (!in_pairs) return n;
    int pair = n / 64 * 32 + n % 32, quarter = width / 4;
    if (pair >= 2 * quarter) return width;  // none
    return pair + pair / quarter * quarter + (n & 32 ? quarter : 0);
  }
};

struct Shared {
  static constexpr int kWeightStride = kTile + 16;  // rows that a warp writes together lie 16 banks apart
  float weights[kTile][kWeightStride];
  union {
    struct {
      float left[kTile][kDepth + 1], right[kTile][kDepth + 1];
    };
    float values[kTile][kTile];
  };
};

/// out = A Bᵀ for the rows of `a` from `a_row` on and those of `b` from `b_row` on, summed over the width.
template <class T>
__device__ __forceinline__ void multiply_rows(Shared& shared, const HeadRows<const T>& a, int a_row,
                                              const HeadRows<const T>& b, int b_row, Fragment& out) {
  for_each([&](int i, int j) { out[i][j] = 0; });
  int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  for (int depth = 0; depth < a.width; depth += kDepth) {
    __syncthreads();
    for (int row = warp; row < kTile; row += kThreads / 32) {
      shared.left[row][lane] = a.at(a_row + row, depth + lane);
      shared.right[row][lane] = b.at(b_row + row, depth + lane);
    }
    __syncthreads();
#pragma unroll 8
    for (int d = 0; d < kDepth; d++) {
      float x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        x[i] = shared.left[row_of(i)][d];
        y[i] = shared.right[column_of(i)][d];
      }
      for_each([&](int i, int j) { out[i][j] += x[i] * y[j]; });
    }
  }
}

/// Leaves a tile of weights for multiply_weights.
__device__ __forceinline__ void share_weights(Shared& shared, const Fragment& weights) {
  __syncthreads();
  for_each([&](int i, int j) { shared.weights[row_of(i)][column_of(j)] = weights[i][j]; });
}

/// out += W B with the shared weights and 64 rows of `b` from `b_row` on; of the output's columns those of
/// each chunk from the `first`-th on. kTransposed: out += Wᵀ B.
template <bool kTransposed, int kChunks, class T>
__device__ __forceinline__ void multiply_weights(Shared& shared, const HeadRows<const T>& b, int b_row,
                                                 const ColumnOrder& order, int first,
                                                 Fragment (&out)[kChunks]) {
#pragma unroll
  for (int chunk = 0; chunk < kChunks; chunk++) {
    __syncthreads();
    int n = static_cast<int>(threadIdx.x) % kTile, d = order(first + chunk * kTile + n);
    for (int row = static_cast<int>(threadIdx.x) / kTile; row < kTile; row += kThreads / kTile)
      shared.values[row][n] = b.at(b_row + row, d);
    __syncthreads();
#pragma unroll 8
    for (int k = 0; k < kTile; k++) {
      float w[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        w[i] = kTransposed ? shared.weights[k][row_of(i)] : shared.weights[row_of(i)][k];
        y[i] = shared.values[k][column_of(i)];
      }
      for_each([&](int i, int j) { out[chunk][i][j] += w[i] * y[j]; });
    }
  }
}

/// Writes scale · out to the rows of `to` from `row` on, turned back where positions turn them.
template <int kChunks, class T>
__device__ __forceinline__ void write(Fragment (&out)[kChunks], const float (&scale)[4],
                                      const HeadRows<T>& to, int row, const ColumnOrder& order, int first) {
#pragma unroll
  for (int chunk = 0; chunk < kChunks; chunk++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int r = row + row_of(i);
      if (r >= to.length) continue;
#pragma unroll
      for (int j = 0; j < 4; j++) out[chunk][i][j] *= scale[i];
      if (to.rotary.table != nullptr) {
        int quarter = to.width / 4;
#pragma unroll
        for (int j = 0; j < 2; j++) {
          int d = order(first + chunk * kTile + column_of(j));
          if (d >= to.width) continue;
          int half = d >= 2 * quarter;
          rotate_back(to.rotary.turn(to.offset + r, half, d - half * 2 * quarter, quarter), out[chunk][i][j],
                      out[chunk][i][j + 2]);
        }
      }
#pragma unroll
      for (int j = 0; j < 4; j++) {
        int d = order(first + chunk * kTile + column_of(j));
        if (d < to.width) store(to.data + r * to.stride + d, out[chunk][i][j]);
      }
    }
  }
}

/// The dropout factors of a thread's numbers in the tile at (row, column): one counter serves its four rows.
__device__ __forceinline__ void draw_factors(const Dropout& dropout, int64_t head, int64_t tokens,
                                             int64_t offset, int row, int column, Fragment& factors) {
#pragma unroll
  for (int j = 0; j < 4; j++) {
    DropoutDraw draw = attention_dropout_draw(head, tokens, offset, row + row_of(0), column + column_of(j));
    Philox4 random = philox(dropout.seed, draw.counter, dropout.site);
#pragma unroll
    for (int i = 0; i < 4; i++) factors[i][j] = random.word[i] < dropout.threshold ? 0.0f : dropout.scale;
  }
}

}  // namespace glm::cuda::attention::general
