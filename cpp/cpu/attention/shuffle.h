#pragma once

// Rearrangements across lanes, spelled for any vector width.

#include <utility>

#include "cpu/attention/units.h"

namespace glm::GLM_ISA::attention {

namespace detail {

template <class Index, int... kLane>
GLM_INLINE Floats pick(Floats a, Floats b, Index, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(a, b, Index::of(kLane)...);
}

/// Lanes 2 l + kOdd of a, then of b.
template <int kOdd>
struct EveryOther {
  static constexpr int of(int lane) { return 2 * lane + kOdd; }
};

/// The off-diagonal exchange of a transposition of blocks of kStep × kStep: the upper row of blocks (kLower
/// 0) or the lower one.
template <int kStep, int kLower>
struct Exchange {
  static constexpr int of(int lane) {
    bool second = (lane / kStep) % 2 != 0;
    if (kLower) return second ? kLanes + lane : lane + kStep;
    return second ? kLanes + lane - kStep : lane;
  }
};

}  // namespace detail

template <class Index>
GLM_INLINE Floats pick_lanes(Floats a, Floats b) {
  return detail::pick(a, b, Index{}, std::make_integer_sequence<int, kLanes>{});
}

GLM_INLINE Floats even_lanes(Floats a, Floats b) { return pick_lanes<detail::EveryOther<0>>(a, b); }
GLM_INLINE Floats odd_lanes(Floats a, Floats b) { return pick_lanes<detail::EveryOther<1>>(a, b); }

template <int kStep = 1>
GLM_INLINE void transpose_lanes(Floats (&rows)[kLanes]) {
  for (int i = 0; i < kLanes; i++) {
    if (i & kStep) continue;
    Floats upper = rows[i], lower = rows[i + kStep];
    rows[i] = pick_lanes<detail::Exchange<kStep, 0>>(upper, lower);
    rows[i + kStep] = pick_lanes<detail::Exchange<kStep, 1>>(upper, lower);
  }
  if constexpr (2 * kStep < kLanes) transpose_lanes<2 * kStep>(rows);
}

}  // namespace glm::GLM_ISA::attention
