#pragma once

// Rotary 2D positions (as ChatGLM-6B has them): the first half of a head turns with the position, the second
// with the block position. Pair (j, j + D/4) of a half turns by position · 10000^(-4j/D).

#include "backend/params.h"

namespace glm::cuda::attention {

struct Rotary {
  const float2* table = nullptr;  // [positions, D/4] cos, sin; null: nothing turns
  const int32_t* positions = nullptr;
  const int32_t* block_positions = nullptr;

  /// The row of the table that turns `half` of a token.
  __device__ __forceinline__ const float2* row(int64_t token, int half, int quarter) const {
    return table + int64_t{half == 0 ? positions[token] : block_positions[token]} * quarter;
  }
  /// cos and sin for pair `j` of `half` of a token.
  __device__ __forceinline__ float2 turn(int64_t token, int half, int j, int quarter) const {
    return row(token, half, quarter)[j];
  }
  /// The same for pairs `j` and `j` + 1, where `j` is even and `quarter` too.
  __device__ __forceinline__ float4 two_turns(int64_t token, int half, int j, int quarter) const {
    return *reinterpret_cast<const float4*>(row(token, half, quarter) + j);
  }
};

template <class Params>
__device__ __forceinline__ Rotary rotary_of(const Params& p) {
  return {reinterpret_cast<const float2*>(p.rotary), p.positions, p.block_positions};
}

/// Turns a pair by the angle of `turn`.
__device__ __forceinline__ void rotate(float2 turn, float& first, float& second) {
  float a = first, b = second;
  first = a * turn.x - b * turn.y;
  second = b * turn.x + a * turn.y;
}

/// The gradient of rotate(): turns back.
__device__ __forceinline__ void rotate_back(float2 turn, float& first, float& second) {
  rotate({turn.x, -turn.y}, first, second);
}

}  // namespace glm::cuda::attention
