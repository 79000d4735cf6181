#pragma once

// A product with few rows of A, as in decoding: C[m, n] = A · Bᵀ with m <= kThinRows and both depths minor. B
// is not packed, only A. Very few rows are multiplied by dot products along the depth (thin_dots.h), more as
// the lanes of vectors (thin_lanes.h), where there are not registers enough for dot products with many rows
// at once. In each of the two ways a row has the same bits whatever the other rows are.

#include "cpu/element_type.h"
#include "cpu/gemm/thin_dots.h"
#include "cpu/gemm/thin_lanes.h"

namespace glm::GLM_ISA {

inline bool is_thin(const Product& p) {
  return p.m <= kThinRows && !p.a.depth_is_major && !p.b.depth_is_major && !p.accumulate;
}

namespace thin {

constexpr int64_t kLeastRowsInLanes = 7;

inline bool multiplies_lanes(const Product& p) { return !kManyRegisters && p.m >= kLeastRowsInLanes; }

/// Shares out the columns: function(begin, end, finish) multiplies some of them and hands each finished group
/// to finish(block, column, columns).
template <class Function>
void share_columns(const Parallel& parallel, const Product& p, const Function& function) {
  auto finish = [&](const float* block, int64_t column, int64_t columns) {
    if (p.epilogue.apply != nullptr) {
      p.epilogue.apply(p.epilogue.context, block, 0, p.m, column, columns);
      return;
    }
    for (int64_t row = 0; row < p.m; row++) {
      for (int64_t j = 0; j < columns; j += kLanes) {
        store_upto(p.c + row * p.n + column + j, load(block + row * kGroupColumns + j), columns - j);
      }
    }
  };
  // More than one group where there is time to fetch the next.
  int64_t grain = p.m <= 4 ? kGroupColumns : 4 * kGroupColumns;
  if (p.n < 8 * grain * parallel.threads()) grain = kGroupColumns;
  parallel.ranges(p.n, grain, [&](int64_t begin, int64_t end) { function(begin, end, finish); });
}

template <class Word, class T, class Weight>
void by_dots(const Parallel& parallel, const Product& p, Word* rows) {
  convert_rows<Word, T>(parallel, p, rows);
  share_columns(parallel, p, [&](int64_t begin, int64_t end, const auto& finish) {
    multiply_dots<Word, Weight>(p, rows, begin, end, finish);
  });
}

template <class T, class Weight>
void by_lanes(const Parallel& parallel, const Product& p, float* panels) {
  auto with = [&](auto vectors) {
    constexpr int kVectors = decltype(vectors)::value;
    pack_panels<kVectors, T>(parallel, p, panels);
    share_columns(parallel, p, [&](int64_t begin, int64_t end, const auto& finish) {
      multiply_lanes<kVectors, Weight>(p, panels, begin, end, finish);
    });
  };
  switch (vectors_of(p)) {
    case 1:
      return with(std::integral_constant<int, 1>{});
    case 2:
      return with(std::integral_constant<int, 2>{});
    case 3:
      return with(std::integral_constant<int, 3>{});
    default:
      return with(std::integral_constant<int, kMostVectors>{});
  }
}

}  // namespace thin

inline size_t multiply_thin_workspace(const Product& p) {
  int64_t words =
      thin::multiplies_lanes(p) ? thin::panel_floats(p) : thin::converted_rows(p) * thin::row_words<float>(p);
  return static_cast<size_t>(round_up(words * 4, 4096));
}

inline void multiply_thin(const Parallel& parallel, const Product& p, void* workspace) {
#if GLM_HAS_BF16_PRODUCTS
  if (multiplies_pairs(p)) {
    thin::by_dots<BFloat16Pair, bfloat16, bfloat16>(parallel, p, static_cast<BFloat16Pair*>(workspace));
    return;
  }
#endif
  float* a = static_cast<float*>(workspace);
  with_element_type(p.a.dtype, [&](auto type) {
    with_weight_type(p.b.dtype, [&](auto weight) {
      using T = decltype(type);
      using Weight = decltype(weight);
      if (thin::multiplies_lanes(p)) {
        thin::by_lanes<T, Weight>(parallel, p, a);
      } else {
        thin::by_dots<float, T, Weight>(parallel, p, a);
      }
    });
  });
}

}  // namespace glm::GLM_ISA
