// Attention, forward: per example and head, with T tokens of which the first `context` are Part A,
//
//   S = scale · Q Kᵀ [T, T],  P = softmax of S over the columns the GLM mask shows,  O = dropout(P) V [T, D],
//   log-sum-exp of each row [T], for the backward.
//
// Q and K are turned on the way in where positions are rotary. Nothing of size T × T is stored: a block has a
// tile of rows and goes over tiles of columns with a running maximum and sum, in base 2 (Milakov & Gimelshein
// 2018; Dao et al., "FlashAttention", 2022). Tiles that the mask empties are not loaded, full ones know no
// mask, those on the border are masked number by number.
//
// bfloat16 heads of 64 and 128 go to the tensor cores (attention/forward.cuh; attention/launch.cuh picks).
// The kernel of this file is for any other width and type: qkv and O float32 or bfloat16, all arithmetic in
// float32. Tiles are 64 × 64, and a block makes up to 128 columns of O; for wider heads S is computed once
// for each 128.
//
// Work: 4 · D operations and one exponential per visible pair (in whole tiles). Memory traffic: Q and O once;
// K and V once per 64 rows, from the second-level cache.

#include "attention/forward.cuh"
#include "attention/general.cuh"
#include "attention/launch.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace attention::general {
namespace {

template <class T, int kChunks>
struct Forward {
  static constexpr int kThreads = general::kThreads;
  static __device__ void run(const AttentionForward& p, const Tile* tiles);
};

template <class T, int kChunks>
__device__ __forceinline__ void Forward<T, kChunks>::run(const AttentionForward& p, const Tile* tiles) {
  __shared__ Shared shared;
  Tile tile = tiles[blockIdx.x / p.heads];
  int head = static_cast<int>(blockIdx.x % p.heads), width = p.head_width, row = tile.begin;
  int64_t stride = int64_t{3} * p.heads * width, part = int64_t{p.heads} * width;
  const T* q = static_cast<const T*>(p.qkv) + tile.offset * stride + int64_t{head} * width;
  HeadRows<const T> queries{q, stride, tile.length, width, tile.offset, rotary_of(p)};
  HeadRows<const T> keys{q + part, stride, tile.length, width, tile.offset, rotary_of(p)};
  HeadRows<const T> values{q + 2 * part, stride, tile.length, width};
  ColumnOrder order{width, false};
  int first = static_cast<int>(blockIdx.y) * kChunks * kTile;

  float scale = p.scale * kLog2E;
  float maximum[4], sum[4];
  Fragment out[kChunks] = {};
  for (int i = 0; i < 4; i++) {
    maximum[i] = -INFINITY;
    sum[i] = 0;
  }
  int end = static_cast<int>(visible_columns(min(row + kTile, tile.length), tile.context));
  for (int column = 0; column < end; column += kTile) {
    Fragment s;
    multiply_rows(shared, queries, row, keys, column, s);
    bool full = tile_is_full(row, column + kTile, tile.context);
    for_each([&](int i, int j) {
      bool seen = full || visible(row + row_of(i), column + column_of(j), tile.context);
      s[i][j] = seen ? s[i][j] * scale : -INFINITY;
    });
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float before = maximum[i];
      maximum[i] =
          fmaxf(before, reduce_row(fmaxf(fmaxf(s[i][0], s[i][1]), fmaxf(s[i][2], s[i][3])), Maximum{}));
      float rescale = exp2f(before - maximum[i]);
      sum[i] *= rescale;
#pragma unroll
      for (int chunk = 0; chunk < kChunks; chunk++) {
#pragma unroll
        for (int j = 0; j < 4; j++) out[chunk][i][j] *= rescale;
      }
#pragma unroll
      for (int j = 0; j < 4; j++) {
        s[i][j] = exp2f(s[i][j] - maximum[i]);
        sum[i] += s[i][j];
      }
    }
    if (p.dropout.threshold != 0) {
      Fragment factors;
      draw_factors(p.dropout, head, p.layout.tokens, tile.offset, row, column, factors);
      for_each([&](int i, int j) { s[i][j] *= factors[i][j]; });
    }
    share_weights(shared, s);
    multiply_weights<false>(shared, values, column, order, first, out);
  }

  float inverse[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    sum[i] = reduce_row(sum[i], Sum{});
    inverse[i] = 1 / sum[i];
    int r = row + row_of(i);
    if (p.log_sum_exp != nullptr && column_of(0) == 0 && first == 0 && r < tile.length)
      p.log_sum_exp[head * p.layout.tokens + tile.offset + r] = (maximum[i] + log2f(sum[i])) * kLn2;
  }
  T* o = static_cast<T*>(p.out) + tile.offset * part + int64_t{head} * width;
  write(out, inverse, HeadRows<T>{o, part, tile.length, width}, row, order, first);
}

}  // namespace
}  // namespace attention::general

void CudaKernels::run(const AttentionForward& p) {
  using namespace attention;
  auto start_body = [&](auto body, dim3 grid, size_t shared, const Tile* tiles) {
    using Body = decltype(body);
    start({"attention", grid, Body::kThreads, shared}, forward_kernel<Body>, p.qkv, p.rotary, p.positions,
          p.block_positions, p.out, p.log_sum_exp, p.layout.tokens, p.heads, p.head_width, p.scale,
          p.dropout.seed, p.dropout.site, p.dropout.threshold, p.dropout.scale, tiles);
  };
  with_kind(p, [&](auto width) {
    if constexpr (width > 0) {
      using Body = Forward<width, false>;
      with_items(queue_, row_tiles(p.layout, Body::kRows), [&](const Tile* tiles, unsigned count) {
        dim3 grid(count * static_cast<unsigned>(p.heads));
        if (p.dropout.active()) {
          start_body(Forward<width, true>{}, grid, Body::kSharedBytes, tiles);
        } else {
          start_body(Body{}, grid, Body::kSharedBytes, tiles);
        }
      });
    } else {
      with_items(queue_, row_tiles(p.layout, general::kTile), [&](const Tile* tiles, unsigned count) {
        general::with_shape(p, [&](auto zero, auto chunks) {
          start_body(general::Forward<decltype(zero), chunks>{}, general::grid(p, count), 0, tiles);
        });
      });
    }
  });
}

size_t CudaKernels::workspace_bytes(const AttentionForward&) const { return 0; }

}  // namespace glm::cuda
