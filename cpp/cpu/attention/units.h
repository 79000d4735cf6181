#pragma once

// What one lane of a product holds. In float32 it is one number and a step of the product is a fused
// multiply-add. With bfloat16 dot products (AVX512-BF16) it is a pair of neighbours along the summed
// dimension, and a step adds both products to a float32 sum. Either way a unit has 32 bits, so tiles,
// transpositions and loops are the same.
//
// Packed rows of `width` elements have a stride of a whole number of vectors of units; what is behind the
// width is zero.

#include <cstdint>
#include <cstring>

#include "cpu/simd.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace glm::GLM_ISA::attention {

/// Two bfloat16, the first in the lower half.
struct Pair {
  uint32_t bits;
};

/// How activations of type T enter products: as packed elements, and those as units.
template <class T>
struct Operand {
  using Element = float;
  using Unit = float;
};
#if defined(__AVX512BF16__)
template <>
struct Operand<bfloat16> {
  using Element = bfloat16;
  using Unit = Pair;
};
#endif

/// Elements of the summed dimension in one unit.
template <class Unit>
inline constexpr int kDepth = 1;
template <>
inline constexpr int kDepth<Pair> = 2;

/// The stride of packed rows, in elements.
template <class T>
constexpr int64_t packed_stride(int64_t width) {
  constexpr int64_t kWhole = kLanes * kDepth<typename Operand<T>::Unit>;
  return (width + kWhole - 1) / kWhole * kWhole;
}

GLM_INLINE Floats load_units(const float* p) { return load(p); }
GLM_INLINE Floats spread_unit(const float* p) { return broadcast(*p); }
GLM_INLINE Floats multiply_add(Floats sum, Floats a, Floats b) { return a * b + sum; }

#if defined(__AVX512BF16__)
GLM_INLINE Ints load_units(const Pair* p) {
  Ints v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
GLM_INLINE Ints spread_unit(const Pair* p) { return static_cast<int32_t>(p->bits) - Ints{}; }
GLM_INLINE Floats multiply_add(Floats sum, Ints a, Ints b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

/// One pair per lane, rounded.
GLM_INLINE void store_pairs(Pair* p, Floats first, Floats second) {
  typedef uint16_t Halves __attribute__((vector_size(64)));
  auto rounded = reinterpret_cast<Halves>(_mm512_cvtne2ps_pbh(second, first));
  Halves pairs = __builtin_shufflevector(rounded, rounded, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                                         23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  std::memcpy(p, &pairs, sizeof pairs);
}
#endif

/// Stores kLanes numbers, rounded to T.
GLM_INLINE void store_elements(float* p, Floats v) { store(p, v); }
GLM_INLINE void store_elements(bfloat16* p, Floats v) {
#if defined(__AVX512BF16__)
  auto rounded = _mm512_cvtneps_pbh(v);
  std::memcpy(p, &rounded, sizeof rounded);
#else
  store(p, v);
#endif
}

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }
constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

}  // namespace glm::GLM_ISA::attention
