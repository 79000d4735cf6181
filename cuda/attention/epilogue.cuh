#pragma once

// From a warp's registers back to memory.

#include "attention/products.cuh"

namespace glm::cuda::attention {

/// numbers *= factor
template <int kFragments, int kTiles>
__device__ __forceinline__ void scale(Numbers<kFragments, kTiles>& numbers, float factor) {
  for_each_number<kFragments, kTiles>([&](int f, int n, int i) { numbers[f][n][i] *= factor; });
}

/// Turns the gradient of turned rows back. Row 0 is token `token`; `count` of the rows exist. A thread has
/// both of every pair: they are a quarter of the width apart, whole tiles.
template <int kFragments, int kTiles>
__device__ __forceinline__ void turn_back(Numbers<kFragments, kTiles>& rows, const Rotary& rotary,
                                          int64_t token, int count) {
  constexpr int kQuarterTiles = kTiles / 4, kQuarter = kQuarterTiles * 8;
#pragma unroll
  for (int f = 0; f < kFragments; f++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int row = f * 16 + h * 8 + fragment_row();
      if (row >= count) continue;
#pragma unroll
      for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int n = half * 2 * kQuarterTiles; n < (half * 2 + 1) * kQuarterTiles; n++) {
          int j = n % kQuarterTiles * 8 + fragment_column();
          float4 turns = rotary.two_turns(token + row, half, j, kQuarter);
          float(&first)[4] = rows[f][n], (&second)[4] = rows[f][n + kQuarterTiles];
          rotate_back({turns.x, turns.y}, first[2 * h], second[2 * h]);
          rotate_back({turns.z, turns.w}, first[2 * h + 1], second[2 * h + 1]);
        }
      }
    }
  }
}

/// Writes a warp's rows, rounded to bfloat16, to memory from `to` on; `count` of them exist. They pass
/// through shared memory that the warp alone uses, so that each row is written in whole pieces of 16 bytes.
template <int kFragments, int kTiles>
__device__ __forceinline__ void write_rows(const Numbers<kFragments, kTiles>& rows,
                                           SharedRows<kTiles * 8> staging, bfloat16* to, int64_t stride,
                                           int count) {
  constexpr int kPieces = kTiles;
  __syncwarp();
#pragma unroll
  for (int f = 0; f < kFragments; f++) {
#pragma unroll
    for (int n = 0; n < kTiles; n++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        uint32_t at = staging.piece(f * 16 + h * 8 + fragment_row(), n) + fragment_column() * 2;
        store_shared(at, pack(rows[f][n][2 * h], rows[f][n][2 * h + 1]));
      }
    }
  }
  __syncwarp();
#pragma unroll
  for (int i = 0; i < kFragments * 16; i += kWarp / kPieces) {
    int row = i + lane() / kPieces, piece = lane() % kPieces;
    if (row < count) store_global(to + row * stride + piece * 8, load_shared(staging.piece(row, piece)));
  }
}

}  // namespace glm::cuda::attention
