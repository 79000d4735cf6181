#pragma once

// Attention's backward on tensor cores, second pass: dK and dV of a tile of columns, over the rows that see
// them. bfloat16, head widths 64 and 128, sums in float32. The formulas are attention_backward.cu's.
//
// A block of 4 warps has 128 columns of one head, 32 a warp (64 and 16 at width 128): K and V stay in shared
// memory; Q, dO and the rows' statistics pass through it double-buffered in tiles of 64 (32) rows. Scores are
// computed transposed, so that the fragments of Pᵀ and dSᵀ are operands as they are: a warp takes strips of
// 32 rows, Sᵀ = K Qᵀ and dPᵀ = V dOᵀ, from them Pᵀ and dSᵀ in registers, and dV += Pᵀ dO, dK += dSᵀ Q.
//
// Work: 8 · D operations and one exponential per pair in strips that are not empty. Memory traffic: K, V, dK
// and dV once; Q, dO once per 128 (64) columns. Shared memory: 65 KiB.

#include "attention/dropout.cuh"
#include "attention/epilogue.cuh"
#include "attention/mask.cuh"
#include "attention/schedule.h"
#include "attention/softmax.cuh"

namespace glm::cuda::attention {

template <int kWidth, bool kDropout>
struct BackwardKeys {
  static constexpr int kThreads = attention::kThreads;
  static constexpr int kFragments = kWidth == 64 ? 2 : 1;  // of 16 columns a warp
  static constexpr int kColumnsOfWarp = kFragments * 16, kColumns = kWarps * kColumnsOfWarp;
  static constexpr int kRows = kWidth == 64 ? 64 : 32;
  static constexpr int kStrip = 32, kTiles = kStrip / 8;
  static constexpr int kUnrolled = kWidth == 64 ? 2 : 8;  // as many as leave no register to spill
  static constexpr size_t kSharedBytes =
      (2 * kColumns + 4 * kRows) * SharedRows<kWidth>::kRowBytes + 4 * kRows * sizeof(float);

  static __device__ void run(const AttentionBackward& p, const Tile* tiles);
};

/// Starts copying numbers [first, first + kCount) of `length`; those behind become zero.
template <int kCount>
__device__ __forceinline__ void load_numbers(float* to, const float* from, int first, int length) {
  static_assert(kCount <= kThreads);
  int i = static_cast<int>(threadIdx.x);
  bool exists = first + i < length;
  if (i < kCount) copy_number_async(shared_address(to + i), from + (exists ? first + i : 0), exists);
}

template <int kWidth, bool kDropout>
__device__ __forceinline__ void BackwardKeys<kWidth, kDropout>::run(const AttentionBackward& p,
                                                                    const Tile* tiles) {
  const float* deltas = static_cast<const float*>(p.workspace);
  extern __shared__ __align__(128) bfloat16 memory[];
  SharedRows<kWidth> keys{shared_address(memory)}, values = keys.from(kColumns);
  SharedRows<kWidth> queries = values.from(kColumns), grad_outs = queries.from(2 * kRows);
  float* log_sums = reinterpret_cast<float*>(memory + (2 * kColumns + 4 * kRows) * kWidth);
  float* delta = log_sums + 2 * kRows;

  Tile tile = tiles[blockIdx.x / p.heads];
  int head = static_cast<int>(blockIdx.x % p.heads), length = tile.length, context = tile.context;
  int32_t part = p.heads * kWidth, stride = 3 * part, at = head * kWidth;
  int64_t statistics = head * p.layout.tokens + tile.offset;
  const bfloat16* qkv = static_cast<const bfloat16*>(p.qkv) + int64_t{tile.offset} * stride + at;
  const bfloat16* grad_out = static_cast<const bfloat16*>(p.grad_out) + int64_t{tile.offset} * part + at;
  GlobalRows global_queries{qkv, stride, length}, global_grad_outs{grad_out, part, length};
  Rotary rotary = rotary_of(p);

  int warp_column = static_cast<int>(threadIdx.x) / kWarp * kColumnsOfWarp;
  int column = tile.begin + warp_column;
  int begin = static_cast<int>(first_visible_row(tile.begin, context)) / kRows * kRows;
  // The first row that sees the warp's columns; none does where they lie behind the example.
  int seen_from = column < length ? static_cast<int>(first_visible_row(column, context)) : length + kStrip;

  auto load_tile = [&](int row, int stage) {
    load_rows<kRows>(queries.from(stage * kRows), global_queries, row);
    load_rows<kRows>(grad_outs.from(stage * kRows), global_grad_outs, row);
    load_numbers<kRows>(log_sums + stage * kRows, p.log_sum_exp + statistics, row, length);
    load_numbers<kRows>(delta + stage * kRows, deltas + statistics, row, length);
    end_copy_group();
  };
  load_rows<kColumns>(keys, {qkv + part, stride, length}, tile.begin);
  load_rows<kColumns>(values, {qkv + 2 * part, stride, length}, tile.begin);
  load_tile(begin, 0);
  if (rotary.table != nullptr) {
    wait_for_copies<0>();
    __syncthreads();
    turn_rows<kColumns>(keys, rotary, tile.offset + tile.begin, length - tile.begin);
  }

  float log2_scale = p.scale * kLog2E;
  Numbers<kFragments, kWidth / 8> grad_keys = {}, grad_values = {};
  for (int row = begin, stage = 0; row < length; row += kRows, stage ^= 1) {
    wait_for_copies<0>();
    __syncthreads();
    SharedRows<kWidth> tile_queries = queries.from(stage * kRows);
    SharedRows<kWidth> tile_grad_outs = grad_outs.from(stage * kRows);
    if (row + kRows < length) load_tile(row + kRows, stage ^ 1);
    if (rotary.table != nullptr) {
      turn_rows<kRows>(tile_queries, rotary, tile.offset + row, length - row);
      __syncthreads();
    }
#pragma unroll 1
    for (int strip = 0; strip < kRows && row + strip < length; strip += kStrip) {
      if (row + strip + kStrip <= seen_from) continue;
      Numbers<kFragments, kTiles> weights = {}, grads = {};  // Sᵀ, then Pᵀ; dPᵀ, then dSᵀ
      multiply_rows<kUnrolled>(weights, keys, warp_column, tile_queries, strip);
      multiply_rows<kUnrolled>(grads, values, warp_column, tile_grad_outs, strip);
      if (!tile_is_full(row + strip, column + kColumnsOfWarp, context))
        mask_rows(weights, row + strip, column, context, -INFINITY);
      uint32_t dropped[kFragments] = {};  // a bit for each number
      if constexpr (kDropout) {
        HeadDropout dropout{p.dropout, head * p.layout.tokens + tile.offset};
        dropout.for_each_dropped_transposed<kFragments>(
            row + strip, column, [&](int f, int n, int i) { dropped[f] |= 1u << (n * 4 + i); });
        scale(grads, p.dropout.scale);
      }
#pragma unroll
      for (int n = 0; n < kTiles; n++) {
        int r = stage * kRows + strip + n * 8 + fragment_column();
        float2 log_sum = *reinterpret_cast<const float2*>(log_sums + r);
        float2 of_row = *reinterpret_cast<const float2*>(delta + r);
#pragma unroll
        for (int f = 0; f < kFragments; f++) {
#pragma unroll
          for (int i = 0; i < 4; i++) {
            float log2_sum = (i % 2 == 0 ? log_sum.x : log_sum.y) * kLog2E;
            float weight = exp2_fast(fmaf(weights[f][n][i], log2_scale, -log2_sum));
            bool drop = kDropout && (dropped[f] >> (n * 4 + i) & 1) != 0;
            grads[f][n][i] = weight * ((drop ? 0 : grads[f][n][i]) - (i % 2 == 0 ? of_row.x : of_row.y));
            weights[f][n][i] = drop ? 0 : weight;
          }
        }
      }
      multiply_weights<kFragments, kTiles>(grad_values, weights, tile_grad_outs, strip);
      multiply_weights<kFragments, kTiles>(grad_keys, grads, tile_queries, strip);
    }
  }

  scale(grad_keys, p.scale);
  if constexpr (kDropout) scale(grad_values, p.dropout.scale);
  if (rotary.table != nullptr) turn_back(grad_keys, rotary, tile.offset + column, length - column);
  bfloat16* to = static_cast<bfloat16*>(p.grad_qkv) + int64_t{tile.offset + column} * stride + part + at;
  write_rows(grad_keys, keys.from(warp_column), to, stride, length - column);
  write_rows(grad_values, values.from(warp_column), to + part, stride, length - column);
}

}  // namespace glm::cuda::attention
