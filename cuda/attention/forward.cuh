#pragma once

// Attention's forward on tensor cores: bfloat16, head widths 64 and 128, sums and softmax in float32. The
// formula is attention_forward.cu's.
//
// A block of 4 warps has 128 rows of one head, 32 a warp, and goes over tiles of 64 columns (32 at width
// 128):
//
//   memory ──cp.async──► shared: Q once, K and V double-buffered     tiles.cuh
//          ──ldmatrix──► fragments, mma.sync m16n8k16: S = Q Kᵀ      products.cuh
//          registers: mask on the border, softmax, dropout           mask.cuh, softmax.cuh, dropout.cuh
//          ──mma.sync──► O += P V, where C fragments of P are A's    products.cuh
//          through shared memory to whole rows in memory             epilogue.cuh
//
// One barrier a tile: behind it the tile has arrived and everybody is done with the one before, whose buffer
// the next copies may fill. The copies of a tile are under way while the one before is computed. A warp skips
// tiles that none of its rows sees; the block's last tile is the last that any of its rows sees.
//
// Work: 4 · D operations and one exponential per pair in tiles that are not empty; a draw for four pairs with
// dropout. Memory traffic: Q, O once; K, V once per 128 rows. Shared memory: 48 KiB (64 KiB at width 128).

#include "attention/dropout.cuh"
#include "attention/epilogue.cuh"
#include "attention/mask.cuh"
#include "attention/schedule.h"
#include "attention/softmax.cuh"

namespace glm::cuda::attention {

template <int kWidth, bool kDropout>
struct Forward {
  static constexpr int kThreads = attention::kThreads;
  static constexpr int kFragments = 2;  // of 16 rows a warp
  static constexpr int kRowsOfWarp = kFragments * 16, kRows = kWarps * kRowsOfWarp;
  static constexpr int kColumns = kWidth == 64 ? 64 : 32;
  static constexpr int kTiles = kColumns / 8;
  static constexpr int kUnrolled =
      kWidth == 64 && !kDropout ? 4 : 2;  // as many as leave no register to spill
  static constexpr size_t kSharedBytes = (kRows + 4 * kColumns) * SharedRows<kWidth>::kRowBytes;

  static __device__ void run(const AttentionForward& p, const Tile* tiles);
};

template <int kWidth, bool kDropout>
__device__ __forceinline__ void Forward<kWidth, kDropout>::run(const AttentionForward& p, const Tile* tiles) {
  extern __shared__ __align__(128) bfloat16 memory[];
  SharedRows<kWidth> queries{shared_address(memory)};
  SharedRows<kWidth> keys = queries.from(kRows), values = keys.from(2 * kColumns);

  Tile tile = tiles[blockIdx.x / p.heads];
  int head = static_cast<int>(blockIdx.x % p.heads), length = tile.length, context = tile.context;
  int32_t part = p.heads * kWidth, stride = 3 * part;
  const bfloat16* qkv = static_cast<const bfloat16*>(p.qkv) + int64_t{tile.offset} * stride + head * kWidth;
  GlobalRows global_queries{qkv, stride, length}, global_keys{qkv + part, stride, length};
  GlobalRows global_values{qkv + 2 * part, stride, length};
  Rotary rotary = rotary_of(p);

  int warp_row = static_cast<int>(threadIdx.x) / kWarp * kRowsOfWarp, row = tile.begin + warp_row;
  int seen = columns_seen(row, row + kRowsOfWarp, length, context);
  int seen_by_block = columns_seen(tile.begin, tile.begin + kRows, length, context);

  load_rows<kRows>(queries, global_queries, tile.begin);
  load_rows<kColumns>(keys, global_keys, 0);
  load_rows<kColumns>(values, global_values, 0);
  end_copy_group();
  if (rotary.table != nullptr) {
    wait_for_copies<0>();
    __syncthreads();
    turn_rows<kRows>(queries, rotary, tile.offset + tile.begin, length - tile.begin);
  }

  OnlineSoftmax<kFragments> softmax(p.scale);
  Numbers<kFragments, kWidth / 8> out = {};
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
    if (column >= seen) continue;

    Numbers<kFragments, kTiles> scores = {};
    multiply_rows<kUnrolled>(scores, queries, warp_row, tile_keys, 0);
    if (!tile_is_full(row, column + kColumns, context)) mask_columns(scores, row, column, context, -INFINITY);
    softmax.take(scores, out);
    if constexpr (kDropout) {
      compute_anew(row, head);
      HeadDropout dropout{p.dropout, head * p.layout.tokens + tile.offset};
      dropout.for_each_dropped<kFragments, kTiles>(row, column,
                                                   [&](int f, int n, int i) { scores[f][n][i] = 0; });
    }
    multiply_weights<kFragments, kTiles>(out, scores, tile_values, 0);
  }

  softmax.finish();
#pragma unroll
  for (int f = 0; f < kFragments; f++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float factor = (kDropout ? p.dropout.scale : 1.0f) / softmax.sum[f][h];
#pragma unroll
      for (int n = 0; n < kWidth / 8; n++) {
        out[f][n][2 * h] *= factor;
        out[f][n][2 * h + 1] *= factor;
      }
      int r = row + f * 16 + h * 8 + fragment_row();
      if (p.log_sum_exp != nullptr && fragment_column() == 0 && r < length)
        p.log_sum_exp[head * p.layout.tokens + tile.offset + r] = softmax.log_sum_exp(f, h);
    }
  }
  bfloat16* to = static_cast<bfloat16*>(p.out) + int64_t{tile.offset + row} * part + head * kWidth;
  write_rows(out, queries.from(warp_row), to, part, length - row);
}

}  // namespace glm::cuda::attention
