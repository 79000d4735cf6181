#pragma once

// Rotary 2D positions (as ChatGLM-6B has them): the first half of a head turns with the position, the second
// with the block position. Pair (j, j + D/4) of a half turns by position · 10000^(-4j/D).

#include "backend/params.h"
#include "cpu/attention/shuffle.h"

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
    auto pairs = [&](int64_t j, int64_t count, auto load_lanes, auto store_lanes)
        __attribute__((always_inline)) {
      int64_t at = half * 2 * quarter + j;
      Floats low = load_lanes(turn + 2 * j, smaller(count * 2, kLanes));
      Floats high = load_lanes(turn + 2 * j + kLanes, larger(count * 2 - kLanes, 0));
      Floats cosine = even_lanes(low, high), sine = odd_lanes(low, high);
      if (!kForward) sine = -sine;
      Floats a = load_lanes(x + at, count), b = load_lanes(x + at + quarter, count);
      store_lanes(out + at, a * cosine - b * sine, count);
      store_lanes(out + at + quarter, b * cosine + a * sine, count);
    };
    int64_t j = 0;
    for (; j + kLanes <= quarter; j += kLanes) {
      pairs(
          j, kLanes, [](auto* p, int64_t) __attribute__((always_inline)) { return load(p); },
          [](auto* p, Floats v, int64_t) __attribute__((always_inline)) { store_elements(p, v); });
    }
    if (j < quarter) {
      pairs(
          j, quarter - j, [](auto* p, int64_t count) { return load_some(p, count); },
          [](auto* p, Floats v, int64_t count) { store_some(p, v, count); });
    }
  }
}

}  // namespace glm::GLM_ISA::attention
