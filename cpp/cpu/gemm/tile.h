#pragma once

// The innermost step of a matrix product: one tile of C, kTileRows × kTileColumns, held in registers while
// the depth runs by. For each step of the depth it loads two vectors of packed B, broadcasts kTileRows words
// of packed A and does 2 · kTileRows multiply-adds: with 14 rows, 28 sums, 2 of B and 1 broadcast fill 31 of
// 32 registers, and 44 instructions issue in the 28 cycles that a processor with one 512-bit multiplier
// needs.
//
// A word is what one lane multiplies in one instruction: a float, or a pair of bfloat16 neighbours along the
// depth where the processor multiplies pairs. Every element of C adds its products in the order of the depth,
// whichever tile and row of a tile it falls in: the bits do not depend on how C is cut up.

#include "cpu/simd.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace glm::GLM_ISA {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kTileRows = 14;
#else
constexpr int kTileRows = 6;  // 16 registers: 12 sums, 2 of B, 1 broadcast
#endif
constexpr int kTileColumns = 2 * kLanes;

/// Sizes by which a product is cut up, from those of the caches, in words of 4 bytes.
struct CacheBlocks {
  int64_t depth;          // a panel of B of this depth is read from the caches next to the core
  int64_t rows_of_a;      // packed rows of A, in the second-level cache
  int64_t most_rows;      // more of them would not help
  int64_t least_rows;     // before there are fewer, the depth is cut, where that is possible; 0: never
  bool fetch_next_panel;  // of B, while this one is multiplied
};

#if defined(__AVX512F__) || defined(__aarch64__)
// Panels of A and B of 56 and 128 KB; less than half of a second-level cache of 1 MB.
constexpr CacheBlocks kCacheBlocks = {1024, (448 << 10) / 4, 168, 0, false};
#else
// Panels of A and B of 9 and 24 KB; most of a second-level cache of 512 KB.
constexpr CacheBlocks kCacheBlocks = {384, (320 << 10) / 4, 144, 60, true};
#endif

/// Two bfloat16 neighbours along the depth, the earlier one in the lower half.
struct BFloat16Pair {
  uint32_t bits;
};

/// What a word holds: its vector type, and how many elements of the depth.
template <class Word>
struct WordTraits;

template <>
struct WordTraits<float> {
  using Vector = Floats;
  static constexpr int64_t kDepth = 1;
};

template <>
struct WordTraits<BFloat16Pair> {
  using Vector = Ints;
  static constexpr int64_t kDepth = 2;
};

template <class Word>
using WordVector = typename WordTraits<Word>::Vector;

template <class Word>
GLM_INLINE WordVector<Word> load_words(const Word* p) {
  WordVector<Word> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class Word, class Vector>
GLM_INLINE void store_words(Word* p, Vector v) {
  std::memcpy(p, &v, sizeof v);
}

GLM_INLINE Floats broadcast_word(const float* p) { return broadcast(*p); }
GLM_INLINE Floats multiply_add(Floats sums, Floats a, Floats b) { return a * b + sums; }

#if defined(__AVX512BF16__)
#define GLM_HAS_BF16_PRODUCTS 1
GLM_INLINE Ints broadcast_word(const BFloat16Pair* p) { return static_cast<int32_t>(p->bits) - Ints{}; }
GLM_INLINE Floats multiply_add(Floats sums, Ints a, Ints b) {
  return reinterpret_cast<Floats>(_mm512_dpbf16_ps(
      reinterpret_cast<__m512>(sums), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
}
#else
#define GLM_HAS_BF16_PRODUCTS 0
#endif

/// c[kRows, kTileColumns] = or += Σ over `words` of a[p, row] · b[p, column]. Packed: a is [words,
/// kTileRows], b is [words, kTileColumns].
template <int kRows, class Word>
__attribute__((noinline)) void multiply_tile(int64_t words, const Word* __restrict a,
                                             const Word* __restrict b, float* c, int64_t stride,
                                             bool accumulate) {
  for (int row = 0; row < kRows; row++) {
    __builtin_prefetch(c + row * stride, 1);
    __builtin_prefetch(c + row * stride + kTileColumns - 1, 1);
  }
  Floats sums[kRows][2] = {};
#pragma GCC unroll 4
  for (int64_t p = 0; p < words; p++) {
    WordVector<Word> left = load_words(b), right = load_words(b + kLanes);
#pragma GCC unroll 16
    for (int row = 0; row < kRows; row++) {
      WordVector<Word> word = broadcast_word(a + row);
      sums[row][0] = multiply_add(sums[row][0], word, left);
      sums[row][1] = multiply_add(sums[row][1], word, right);
    }
    a += kTileRows;
    b += kTileColumns;
  }
  if (accumulate) {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; row++) {
      store(c + row * stride, load(c + row * stride) + sums[row][0]);
      store(c + row * stride + kLanes, load(c + row * stride + kLanes) + sums[row][1]);
    }
  } else {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; row++) {
      store(c + row * stride, sums[row][0]);
      store(c + row * stride + kLanes, sums[row][1]);
    }
  }
}

/// multiply_tile for the first `rows` <= kTileRows rows, rounded up to an even number: `c` must have room for
/// that.
template <class Word>
GLM_INLINE void multiply_tile_rows(int64_t rows, int64_t words, const Word* a, const Word* b, float* c,
                                   int64_t stride, bool accumulate) {
  switch ((rows + 1) / 2) {
    case 1:
      return multiply_tile<2>(words, a, b, c, stride, accumulate);
    case 2:
      return multiply_tile<4>(words, a, b, c, stride, accumulate);
#if defined(__AVX512F__) || defined(__aarch64__)
    case 3:
      return multiply_tile<6>(words, a, b, c, stride, accumulate);
    case 4:
      return multiply_tile<8>(words, a, b, c, stride, accumulate);
    case 5:
      return multiply_tile<10>(words, a, b, c, stride, accumulate);
    case 6:
      return multiply_tile<12>(words, a, b, c, stride, accumulate);
#endif
    default:
      return multiply_tile<kTileRows>(words, a, b, c, stride, accumulate);
  }
}

}  // namespace glm::GLM_ISA
