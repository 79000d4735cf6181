#pragma once

// Exponentials, masks and running statistics of softmax on score tiles stored as [columns][rows]: rows lie
// along the lanes, so maxima and sums over columns need no horizontal step. Work is in groups of 32 rows, the
// rows that share dropout counters.

#include "base/glm_mask.h"
#include "cpu/attention/units.h"

namespace glm::GLM_ISA::attention {

constexpr int kGroupRows = 32;
constexpr int kGroupVectors = kGroupRows / kLanes;
constexpr int kColumnsAtOnce =
    2;  // what one step handles: a pair, and enough independent work to hide latencies

/// e^x for x <= 0, exactly zero below -87. x stays in natural units up to here: a score near its row's
/// log-sum-exp then keeps the few bits that their difference has. The polynomial for 2^f, |f| <= 1/2,
/// minimises the largest relative error: 2e-9 for float32 operands; 3e-6 where the result is rounded to
/// bfloat16 (4e-3) anyway.
template <class Unit>
GLM_INLINE Floats exp_nonpositive(Floats x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kRoundingBias = 0x1.8p23f;  // the sum's low bits hold x rounded to a whole number
  Floats biased = x * kLog2E + kRoundingBias;
  Floats f = x * kLog2E - (biased - kRoundingBias);
  Floats p;
  if constexpr (kDepth<Unit> == 1) {
    p = f * 0.00015345812f + 0.0013399931f;
    p = p * f + 0.009618489f;
    p = p * f + 0.055503286f;
    p = p * f + 0.24022646f;
    p = p * f + 0.6931472f;
    p = p * f + 1.0f;
  } else {
    p = f * 0.009570102f + 0.05591786f;
    p = p * f + 0.24024744f;
    p = p * f + 0.6931218f;
    p = p * f + 0.9999993f;
  }
  Floats y = reinterpret_cast<Floats>(reinterpret_cast<UInts>(p) + (reinterpret_cast<UInts>(biased) << 23));
  return x < -87.0f ? Floats{} : y;
}

GLM_INLINE Ints row_numbers(int64_t first) {
  Ints rows;
  for (int i = 0; i < kLanes; i++) rows[i] = static_cast<int32_t>(first) + i;
  return rows;
}

/// Lanes whose row sees `column`.
GLM_INLINE Ints sees(Ints rows, int64_t column, int64_t context) {
  return rows >= static_cast<int32_t>(first_visible_row(column, context));
}

/// Running maximum and sum of one tile's rows; Milakov & Gimelshein, "Online normalizer
/// calculation for softmax" (2018).
template <int kRows>
struct OnlineSoftmax {
  float maximum[kRows];  // of scale · score
  float sum[kRows];      // of e^(scale · score - maximum)
  float rescale[kRows];  // what earlier sums and outputs are multiplied by

  void start() {
    for (int i = 0; i < kRows; i++) {
      maximum[i] = -1e30f;
      sum[i] = 0;
    }
  }
};

}  // namespace glm::GLM_ISA::attention
