// Attention, backward: per example and head, with S, P and O of the forward recomputed tile by tile from the
// log-sum-exp L of each row, Z the dropout factors (0 or 1 / (1 - p)) and everything masked by the GLM rule,
//
//   P = exp(S - L),  dV = (P∘Z)ᵀ dO,  dP = (dO Vᵀ)∘Z,  delta = rowsum(dO∘O),  dS = P∘(dP - delta),
//   dQ = scale · dS K,  dK = scale · dSᵀ Q             all [T, D] but P, Z, dP and dS [T, T] and L, delta [T]
//
// With rotary positions dQ and dK are those of the rotated Q and K, turned back on the way out.
//
// Two passes, each of which writes what it sums alone, so that nothing is added to memory and the order of
// every sum is fixed: the first has a tile of rows, computes delta (into the workspace, [H, N]) and dQ over
// the columns they see; the second has a tile of columns and computes dK and dV over the rows that see them
// (Dao, "FlashAttention-2", 2023, with dQ in a pass of its own).
//
// bfloat16 heads of 64 and 128 go to the tensor cores (attention/backward_queries.cuh and backward_keys.cuh;
// attention/launch.cuh picks). The kernels of this file are for any other width and type: qkv, O and
// gradients float32 or bfloat16, all arithmetic in float32. Tiles are 64 × 64, and a block makes up to 128
// columns of its outputs; for wider heads S and dP are computed once for each 128.
//
// Work: 14 · D operations and two exponentials per visible pair (in whole tiles). Memory traffic: first pass,
// Q, O, dO and dQ once, K (twice) and V once per 64 rows; second pass, K, V, dK and dV once, Q and dO (twice)
// once per 64 columns, from the second-level cache.

#include "attention/backward_keys.cuh"
#include "attention/backward_queries.cuh"
#include "attention/general.cuh"
#include "attention/launch.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace attention::general {
namespace {

/// What both passes read of one head of one example.
template <class T>
struct Inputs {
  HeadRows<const T> queries, keys, values, grad_out;
  int head;

  __device__ Inputs(const AttentionBackward& p, const Tile& tile) {
    head = static_cast<int>(blockIdx.x % p.heads);
    int width = p.head_width;
    int64_t part = int64_t{p.heads} * width, stride = 3 * part, at = int64_t{head} * width;
    const T* q = static_cast<const T*>(p.qkv) + tile.offset * stride + at;
    queries = {q, stride, tile.length, width, tile.offset, rotary_of(p)};
    keys = {q + part, stride, tile.length, width, tile.offset, rotary_of(p)};
    values = {q + 2 * part, stride, tile.length, width};
    grad_out = {static_cast<const T*>(p.grad_out) + tile.offset * part + at, part, tile.length, width};
  }
};

/// Where the gradient of part 0, 1 or 2 (Q, K, V) goes.
template <class T>
__device__ HeadRows<T> gradient(const AttentionBackward& p, const Tile& tile, int head, int which) {
  int width = p.head_width;
  int64_t part = int64_t{p.heads} * width, stride = 3 * part;
  T* data = static_cast<T*>(p.grad_qkv) + tile.offset * stride + which * part + int64_t{head} * width;
  return {data, stride, tile.length, width, tile.offset, which < 2 ? rotary_of(p) : Rotary{}};
}

/// P, Z and dS of the tile at (row, column); `log2_sum` and `delta` are of the thread's rows.
template <class T>
__device__ __forceinline__ void recompute(Shared& shared, const AttentionBackward& p, const Tile& tile,
                                          const Inputs<T>& in, int row, int column,
                                          const float (&log2_sum)[4], const float (&delta)[4],
                                          Fragment& probability, Fragment& factors, Fragment& grad_score) {
  multiply_rows(shared, in.queries, row, in.keys, column, probability);
  bool full = tile_is_full(row, column + kTile, tile.context);
  float scale = p.scale * kLog2E;
  for_each([&](int i, int j) {
    int r = row + row_of(i), c = column + column_of(j);
    bool seen = r < tile.length && (full || visible(r, c, tile.context));
    probability[i][j] = seen ? exp2f(fmaf(probability[i][j], scale, -log2_sum[i])) : 0;
    factors[i][j] = 1;
  });
  if (p.dropout.threshold != 0)
    draw_factors(p.dropout, in.head, p.layout.tokens, tile.offset, row, column, factors);
  multiply_rows(shared, in.grad_out, row, in.values, column, grad_score);
  for_each([&](int i, int j) {
    grad_score[i][j] = probability[i][j] * (grad_score[i][j] * factors[i][j] - delta[i]);
  });
}

template <class T, int kChunks>
struct BackwardQueries {
  static constexpr int kThreads = general::kThreads;
  static __device__ void run(const AttentionBackward& p, const Tile* tiles);
};

template <class T, int kChunks>
__device__ __forceinline__ void BackwardQueries<T, kChunks>::run(const AttentionBackward& p,
                                                                 const Tile* tiles) {
  float* deltas = static_cast<float*>(p.workspace);
  __shared__ Shared shared;
  Tile tile = tiles[blockIdx.x / p.heads];
  Inputs<T> in(p, tile);
  ColumnOrder order{p.head_width, p.rotary != nullptr};
  int first = static_cast<int>(blockIdx.y) * kChunks * kTile, row = tile.begin;
  int64_t statistics = in.head * p.layout.tokens + tile.offset;
  HeadRows<const T> outs = in.grad_out;
  outs.data = static_cast<const T*>(p.out) + (in.grad_out.data - static_cast<const T*>(p.grad_out));

  float log2_sum[4], delta[4], scale[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    int r = row + row_of(i);
    float sum = 0;
    for (int d = column_of(0); d < p.head_width; d += 16) sum += in.grad_out.at(r, d) * outs.at(r, d);
    delta[i] = reduce_row(sum, Sum{});
    log2_sum[i] = r < tile.length ? p.log_sum_exp[statistics + r] * kLog2E : 0;
    scale[i] = p.scale;
    if (column_of(0) == 0 && first == 0 && r < tile.length) deltas[statistics + r] = delta[i];
  }
  Fragment grad[kChunks] = {};
  int end = static_cast<int>(visible_columns(min(row + kTile, tile.length), tile.context));
  for (int column = 0; column < end; column += kTile) {
    Fragment probability, factors, grad_score;
    recompute(shared, p, tile, in, row, column, log2_sum, delta, probability, factors, grad_score);
    share_weights(shared, grad_score);
    multiply_weights<false>(shared, in.keys, column, order, first, grad);
  }
  write(grad, scale, gradient<T>(p, tile, in.head, 0), row, order, first);
}

template <class T, int kChunks>
struct BackwardKeys {
  static constexpr int kThreads = general::kThreads;
  static __device__ void run(const AttentionBackward& p, const Tile* tiles);
};

template <class T, int kChunks>
__device__ __forceinline__ void BackwardKeys<T, kChunks>::run(const AttentionBackward& p, const Tile* tiles) {
  const float* deltas = static_cast<const float*>(p.workspace);
  __shared__ Shared shared;
  Tile tile = tiles[blockIdx.x / p.heads];
  Inputs<T> in(p, tile);
  ColumnOrder plain{p.head_width, false}, order{p.head_width, p.rotary != nullptr};
  int first = static_cast<int>(blockIdx.y) * kChunks * kTile, column = tile.begin;
  int64_t statistics = in.head * p.layout.tokens + tile.offset;

  Fragment grad_keys[kChunks] = {}, grad_values[kChunks] = {};
  int begin = static_cast<int>(first_visible_row(column, tile.context)) / kTile * kTile;
  for (int row = begin; row < tile.length; row += kTile) {
    float log2_sum[4], delta[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int r = row + row_of(i);
      log2_sum[i] = r < tile.length ? p.log_sum_exp[statistics + r] * kLog2E : 0;
      delta[i] = r < tile.length ? deltas[statistics + r] : 0;
    }
    Fragment probability, factors, grad_score;
    recompute(shared, p, tile, in, row, column, log2_sum, delta, probability, factors, grad_score);
    for_each([&](int i, int j) { probability[i][j] *= factors[i][j]; });
    share_weights(shared, probability);
    multiply_weights<true>(shared, in.grad_out, row, plain, first, grad_values);
    share_weights(shared, grad_score);
    multiply_weights<true>(shared, in.queries, row, order, first, grad_keys);
  }
  float scale[4] = {p.scale, p.scale, p.scale, p.scale}, one[4] = {1, 1, 1, 1};
  write(grad_keys, scale, gradient<T>(p, tile, in.head, 1), column, order, first);
  write(grad_values, one, gradient<T>(p, tile, in.head, 2), column, plain, first);
}

}  // namespace
}  // namespace attention::general

void CudaKernels::run(const AttentionBackward& p) {
  using namespace attention;
  auto start_body = [&](auto body, dim3 grid, size_t shared, const Tile* tiles) {
    using Body = decltype(body);
    start({"attention's backward", grid, Body::kThreads, shared}, backward_kernel<Body>, p.qkv, p.rotary,
          p.positions, p.block_positions, p.out, p.log_sum_exp, p.grad_out, p.grad_qkv, p.workspace,
          p.layout.tokens, p.heads, p.head_width, p.scale, p.dropout.seed, p.dropout.site,
          p.dropout.threshold, p.dropout.scale, tiles);
  };
  auto start_pass = [&](auto body, auto body_with_dropout, const Tile* tiles, unsigned count) {
    dim3 grid(count * static_cast<unsigned>(p.heads));
    constexpr size_t kShared = decltype(body)::kSharedBytes;
    if (p.dropout.active()) {
      start_body(body_with_dropout, grid, kShared, tiles);
    } else {
      start_body(body, grid, kShared, tiles);
    }
  };
  with_kind(p, [&](auto width) {
    if constexpr (width > 0) {
      using Queries = BackwardQueries<width, false>;
      using Keys = BackwardKeys<width, false>;
      with_items(queue_, row_tiles(p.layout, Queries::kRows), [&](const Tile* tiles, unsigned count) {
        start_pass(Queries{}, BackwardQueries<width, true>{}, tiles, count);
      });
      with_items(queue_, column_tiles(p.layout, Keys::kColumns), [&](const Tile* tiles, unsigned count) {
        start_pass(Keys{}, BackwardKeys<width, true>{}, tiles, count);
      });
    } else {
      general::with_shape(p, [&](auto zero, auto chunks) {
        using T = decltype(zero);
        with_items(queue_, row_tiles(p.layout, general::kTile), [&](const Tile* tiles, unsigned count) {
          start_body(general::BackwardQueries<T, chunks>{}, general::grid(p, count), 0, tiles);
        });
        with_items(queue_, column_tiles(p.layout, general::kTile), [&](const Tile* tiles, unsigned count) {
          start_body(general::BackwardKeys<T, chunks>{}, general::grid(p, count), 0, tiles);
        });
      });
    }
  });
}

size_t CudaKernels::workspace_bytes(const AttentionBackward& p) const {
  return static_cast<size_t>(p.heads * p.layout.tokens) * sizeof(float);
}

}  // namespace glm::cuda
