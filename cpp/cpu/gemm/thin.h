#pragma once

// A product with few rows of A, as in decoding: C[m, n] = A · Bᵀ with m <= kThinRows and both depths minor.
// Packing would cost more than it saves, because every element of B is used m times only: B is read once,
// from where it lies, and the time is that of reading it (n · k elements). A is converted once to float32
// with its activation, rows padded to whole vectors. A step multiplies kThinColumns rows of B by up to 4 rows
// of A, each sum in a vector over the depth; later rows of A find the rows of B in the first-level cache.

#include "cpu/element_type.h"
#include "cpu/gemm/gemm.h"

namespace glm::GLM_ISA {

constexpr int64_t kThinRows = 16;
constexpr int64_t kThinColumns = 4;

inline bool is_thin(const Product& p) {
  return p.m <= kThinRows && !p.a.depth_is_major && !p.b.depth_is_major && !p.accumulate;
}

namespace thin {

inline int64_t padded_depth(const Product& p) { return round_up(p.k, kLanes); }

/// activation(A) as float32 [m, padded depth], zero beyond the depth.
inline void convert_rows(const Parallel& parallel, const Product& p, float* rows) {
  int64_t stride = padded_depth(p);
  parallel.parts(p.m, [&](int64_t row) {
    with_element_type(p.a.dtype, [&](auto type) {
      const auto* from = static_cast<const decltype(type)*>(p.a.data) + row * p.a.stride;
      for (int64_t k = 0; k < p.k; k += kLanes) {
        Floats v = load_upto(from + k, p.k - k);
        if (p.a.activation != Activation::kNone) packing::activate(p.a.activation, &v, 1);
        store(rows + row * stride + k, v);
      }
    });
  });
}

/// block[row, column] = Σ over k of a[row, k] · b[column, k] for kRows rows and kColumns columns.
template <int kRows, int kColumns, class T>
GLM_INLINE void multiply_rows(const float* a, int64_t a_stride, const T* b, int64_t b_stride, int64_t depth,
                              bool fetch_next, float* block) {
  Floats sums[kRows][kColumns] = {};
  auto step = [&](int64_t k, auto load_b) {
    Floats right[kColumns];
#pragma GCC unroll 4
    for (int column = 0; column < kColumns; column++) right[column] = load_b(b + column * b_stride + k);
#pragma GCC unroll 4
    for (int row = 0; row < kRows; row++) {
      Floats left = load(a + row * a_stride + k);
#pragma GCC unroll 4
      for (int column = 0; column < kColumns; column++) {
        sums[row][column] = multiply_add(sums[row][column], left, right[column]);
      }
    }
  };
  int64_t k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    if (fetch_next) {
#pragma GCC unroll 4
      for (int column = 0; column < kColumns; column++)
        __builtin_prefetch(b + (kColumns + column) * b_stride + k);
    }
    step(k, [](const T* from) { return load(from); });
  }
  if (k < depth) step(k, [&](const T* from) { return load_some(from, depth - k); });
  for (int row = 0; row < kRows; row++) {
    for (int column = 0; column < kColumns; column++)
      block[row * kGroupColumns + column] = sum(sums[row][column]);
  }
}

/// All rows of A by kColumns rows of B.
template <int kColumns, class T>
void multiply_columns(const float* a, int64_t rows, int64_t a_stride, const T* b, int64_t b_stride,
                      int64_t depth, float* block) {
  bool first = true;
  for (; rows > 0; rows -= 4, a += 4 * a_stride, block += 4 * kGroupColumns, first = false) {
    switch (rows) {
      case 1:
        return multiply_rows<1, kColumns>(a, a_stride, b, b_stride, depth, first, block);
      case 2:
        return multiply_rows<2, kColumns>(a, a_stride, b, b_stride, depth, first, block);
      case 3:
        return multiply_rows<3, kColumns>(a, a_stride, b, b_stride, depth, first, block);
      default:
        multiply_rows<4, kColumns>(a, a_stride, b, b_stride, depth, first, block);
    }
  }
}

}  // namespace thin

inline size_t multiply_thin_workspace(const Product& p) {
  return static_cast<size_t>(round_up(p.m * thin::padded_depth(p) * 4, 4096));
}

inline void multiply_thin(const Parallel& parallel, const Product& p, void* workspace) {
  float* a = static_cast<float*>(workspace);
  int64_t stride = thin::padded_depth(p);
  thin::convert_rows(parallel, p, a);
  parallel.ranges(p.n, kGroupColumns, [&](int64_t begin, int64_t end) {
    float block[kThinRows * kGroupColumns];
    with_element_type(p.b.dtype, [&](auto type) {
      const auto* b = static_cast<const decltype(type)*>(p.b.data);
      int64_t column = begin;
      for (; column + kThinColumns <= end; column += kThinColumns) {
        thin::multiply_columns<kThinColumns>(a, p.m, stride, b + column * p.b.stride, p.b.stride, p.k,
                                             block + (column - begin));
      }
      for (; column < end; column++) {
        thin::multiply_columns<1>(a, p.m, stride, b + column * p.b.stride, p.b.stride, p.k,
                                  block + (column - begin));
      }
    });
    if (p.epilogue.apply != nullptr) {
      p.epilogue.apply(p.epilogue.context, block, 0, p.m, begin, end - begin);
    } else {
      for (int64_t row = 0; row < p.m; row++) {
        for (int64_t j = begin; j < end; j += kLanes) {
          store_upto(p.c + row * p.n + j, load(block + row * kGroupColumns + (j - begin)), end - j);
        }
      }
    }
  });
}

}  // namespace glm::GLM_ISA
