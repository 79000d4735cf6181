#pragma once

// Rotary 2D positions (as ChatGLM-6B has them): the first half of a head turns with the position, the second with
// the block position. Pair (j, j + D/4) of a half turns by position · 10000^(-4j/D).

#include "backend/params.h"
#include "cpu/attention/units.h"

namespace glm::GLM_ISA::attention {

struct Rotary {
  const float* table = nullptr;  // [positions, D/4, 2] cos, sin; null: nothing turns
  const int32_t* positions = nullptr;
  const int32_t* block_positions = nullptr;
};

template <class Params>
Rotary rotary_of(const Params& p) {
  return {p.rotary, p.positions, p.block_positions};
}

/// out = x turned by the positions of `token`; kForward false turns back (the gradient of turning).
template <bool kForward, class Out, class In>
void rotate(const Rotary& rotary, int64_t token, int64_t width, const In* x, Out* out) {
  int64_t quarter = width / 4;
  for (int half = 0; half < 2; half++) {
    int64_t position = half == 0 ? rotary.positions[token] : rotary.block_positions[token];
    const float* turn = rotary.table + position * quarter * 2;
    const In* first = x + half * 2 * quarter;
    Out* result = out + half * 2 * quarter;
    for (int64_t j = 0; j < quarter; j++) {
      float cosine = turn[2 * j], sine = kForward ? turn[2 * j + 1] : -turn[2 * j + 1];
      float a = to_float(first[j]), b = to_float(first[j + quarter]);
      convert(a * cosine - b * sine, result[j]);
      convert(b * cosine + a * sine, result[j + quarter]);
    }
  }
}

}  // namespace glm::GLM_ISA::attention
