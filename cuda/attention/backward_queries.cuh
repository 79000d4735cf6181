#pragma once

// Attention's backward on tensor cores, first pass: delta and dQ of a tile of rows, over the columns that
// they see. bfloat16, head widths 64 and 128, sums in float32. The formulas are attention_backward.cu's.
//
// A block of 4 warps has 128 rows of one head, 32 a warp (64 and 16 at width 128): Q and dO stay in shared
// memory, K and V pass through it double-buffered in tiles of 64 (32) columns, as in the forward. A warp
// computes strips of 32 columns: S = Q Kᵀ and dP = dO Vᵀ, from them dS in registers, and dQ += dS K.
//
// Work: 6 · D operations and one exponential per pair in strips that are not empty. Memory traffic: Q, O, dO
// and dQ once (dO once more for delta, from a cache); K, V once per 128 (64) rows. Shared memory: 64 KiB.

#include "attention/dropout.cuh"
#include "attention/epilogue.cuh"
#include "attention/mask.cuh"
#include "attention/schedule.h"
#include "attention/softmax.cuh"
#include "device/pack.cuh"

namespace glm::cuda::attention {

template <int kWidth, bool kDropout>
struct BackwardQueries {
  static constexpr int kThreads = attention::kThreads;
  static constexpr int kFragments = kWidth == 64 ? 2 : 1;  // of 16 rows a warp
  static constexpr int kRowsOfWarp = kFragments * 16, kRows = kWarps * kRowsOfWarp;
  static constexpr int kColumns = kWidth == 64 ? 64 : 32;
  static constexpr int kStrip = 32, kTiles = kStrip / 8;
  static constexpr int kUnrolled = kWidth / 16;  // all steps of the width
  static constexpr size_t kSharedBytes = (2 * kRows + 4 * kColumns) * SharedRows<kWidth>::kRowBytes;

  static __device__ void run(const AttentionBackward& p, const Tile* tiles);
};

/// Σ of dO ∘ O over each of `count` rows, for the rows g and g + 8 of each fragment.
template <int kWidth, int kFragments>
__device__ __forceinline__ void sum_rows(float (&delta)[kFragments][2], const bfloat16* grad_out,
                                         const bfloat16* out, int64_t stride, int count) {
  constexpr int kPieces = kWidth / 8, kStep = kWarp / kPieces;
#pragma unroll
  for (int f = 0; f < kFragments; f++) delta[f][0] = delta[f][1] = 0;
#pragma unroll
  for (int i = 0; i < kFragments * 16; i += kStep) {
    int row = i + lane() / kPieces;
    float sum = 0;
    if (row < count) {
      int64_t at = row * stride + lane() % kPieces * 8;
      Pack<8> x = load_pack<8>(grad_out + at), y = load_pack<8>(out + at);
#pragma unroll
      for (int e = 0; e < 8; e++) sum += x.x[e] * y.x[e];
    }
    sum = warp_sum<kPieces>(sum);
#pragma unroll
    for (int s = 0; s < kStep; s++) {
      float of_row = __shfl_sync(kWholeWarp, sum, s * kPieces);
      if ((i + s) % 8 == fragment_row()) delta[(i + s) / 16][(i + s) / 8 % 2] = of_row;
    }
  }
}

template <int kWidth, bool kDropout>
__device__ __forceinline__ void BackwardQueries<kWidth, kDropout>::run(const AttentionBackward& p,
                                                                       const Tile* tiles) {
  float* deltas = static_cast<float*>(p.workspace);
  extern __shared__ __align__(128) bfloat16 memory[];
  SharedRows<kWidth> queries{shared_address(memory)}, grad_outs = queries.from(kRows);
  SharedRows<kWidth> keys = grad_outs.from(kRows), values = keys.from(2 * kColumns);

  Tile tile = tiles[blockIdx.x / p.heads];
  int head = static_cast<int>(blockIdx.x % p.heads), length = tile.length, context = tile.context;
  int32_t part = p.heads * kWidth, stride = 3 * part, at = head * kWidth;
  const bfloat16* qkv = static_cast<const bfloat16*>(p.qkv) + int64_t{tile.offset} * stride + at;
  const bfloat16* grad_out = static_cast<const bfloat16*>(p.grad_out) + int64_t{tile.offset} * part + at;
  GlobalRows global_keys{qkv + part, stride, length}, global_values{qkv + 2 * part, stride, length};
  Rotary rotary = rotary_of(p);

  int warp_row = static_cast<int>(threadIdx.x) / kWarp * kRowsOfWarp, row = tile.begin + warp_row;
  int seen = columns_seen(row, row + kRowsOfWarp, length, context);
  int seen_by_block = columns_seen(tile.begin, tile.begin + kRows, length, context);

  load_rows<kRows>(queries, {qkv, stride, length}, tile.begin);
  load_rows<kRows>(grad_outs, {grad_out, part, length}, tile.begin);
  load_rows<kColumns>(keys, global_keys, 0);
  load_rows<kColumns>(values, global_values, 0);
  end_copy_group();

  float delta[kFragments][2], log2_sum[kFragments][2];
  const bfloat16* out = static_cast<const bfloat16*>(p.out) + int64_t{tile.offset} * part + at;
  sum_rows<kWidth>(delta, grad_out + int64_t{row} * part, out + int64_t{row} * part, part, length - row);
  int64_t statistics = head * p.layout.tokens + tile.offset;
#pragma unroll
  for (int f = 0; f < kFragments; f++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int r = row + f * 16 + h * 8 + fragment_row();
      log2_sum[f][h] = r < length ? p.log_sum_exp[statistics + r] * kLog2E : 0;
      if (fragment_column() == 0 && r < length) deltas[statistics + r] = delta[f][h];
    }
  }
  if (rotary.table != nullptr) {
    wait_for_copies<0>();
    __syncthreads();
    turn_rows<kRows>(queries, rotary, tile.offset + tile.begin, length - tile.begin);
  }

  float log2_scale = p.scale * kLog2E;
  Numbers<kFragments, kWidth / 8> grad = {};
  for (int column = 0, stage = 0; column < seen_by_block; column += kColumns, stage ^= 1) {
    wait_for_copies<0>();
    __syncthreads();
    SharedRows<kWidth> tile_keys = keys.from(stage * kColumns), tile_values = values.from(stage * kColumns);
    if (column + kColumns < seen_by_block) {
      load_rows<kColumns>(keys.from((stage ^ 1) * kColumns), global_keys, column + kColumns);
      load_rows<kColumns>(values.from((stage ^ 1) * kColumns), global_values, column + kColumns);
      end_copy_group();
    }
    if (rotary.table != nullptr) {
      turn_rows<kColumns>(tile_keys, rotary, tile.offset + column, length - column);
      __syncthreads();
    }
#pragma unroll 1
    for (int strip = 0; strip < kColumns && column + strip < seen; strip += kStrip) {
      Numbers<kFragments, kTiles> weights = {}, grads = {};  // S, then P; dP, then dS
      multiply_rows<kUnrolled>(weights, queries, warp_row, tile_keys, strip);
      multiply_rows<kUnrolled>(grads, grad_outs, warp_row, tile_values, strip);
      if (!tile_is_full(row, column + strip + kStrip, context))
        mask_columns(weights, row, column + strip, context, -INFINITY);
      if constexpr (kDropout) {
        scale(grads, p.dropout.scale);
        HeadDropout dropout{p.dropout, head * p.layout.tokens + tile.offset};
        dropout.for_each_dropped<kFragments, kTiles>(row, column + strip,
                                                     [&](int f, int n, int i) { grads[f][n][i] = 0; });
      }
      for_each_number<kFragments, kTiles>([&](int f, int n, int i) {
        float weight = exp2_fast(fmaf(weights[f][n][i], log2_scale, -log2_sum[f][i / 2]));
        grads[f][n][i] = weight * (grads[f][n][i] - delta[f][i / 2]);
      });
      multiply_weights<kFragments, kTiles>(grad, grads, tile_keys, strip);
    }
  }

  scale(grad, p.scale);
  if (rotary.table != nullptr) turn_back(grad, rotary, tile.offset + row, length - row);
  bfloat16* to = static_cast<bfloat16*>(p.grad_qkv) + int64_t{tile.offset + row} * stride + at;
  write_rows(grad, queries.from(warp_row), to, stride, length - row);
}

}  // namespace glm::cuda::attention
