#pragma once

// The draws of base/dropout.h on vectors: the same bits, four words of kLanes counters at a time. Philox
// multiplies 32-bit words to 64 bits, so its state is kept in 64-bit lanes (the upper half is never looked
// at): even counters in one set of vectors, odd ones in another, joined after the last round. Ten rounds cost
// 2 products, 2 shifts and 4 exclusive-ors per set.

#include "base/dropout.h"
#include "cpu/simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace glm::GLM_ISA {

namespace detail {

/// The 64-bit products of the lower halves; no plain spelling makes the compiler forget the upper ones.
GLM_INLINE ULongs multiply_low_halves(ULongs a, ULongs b) {
#if defined(__AVX512F__)
  // The masked spelling, because the header of the plain one makes g++ 12 warn of an uninitialised value.
  return reinterpret_cast<ULongs>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<ULongs>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<ULongs>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#elif defined(__aarch64__)
  return reinterpret_cast<ULongs>(
      vmull_u32(vmovn_u64(reinterpret_cast<uint64x2_t>(a)), vmovn_u64(reinterpret_cast<uint64x2_t>(b))));
#else
  return (a & 0xffffffff) * (b & 0xffffffff);
#endif
}

struct PhiloxState {
  ULongs c0, c1, c2, c3;

  GLM_INLINE void round(ULongs k0, ULongs k1) {
    ULongs p0 = multiply_low_halves(c0, ULongs{} + 0xD2511F53u),
           p1 = multiply_low_halves(c2, ULongs{} + 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ k0;
    c2 = (p0 >> 32) ^ c3 ^ k1;
    c1 = p1;
    c3 = p0;
  }
};

GLM_INLINE UInts join(ULongs even, ULongs odd) {
  return reinterpret_cast<UInts>((even & 0xffffffff) | (odd << 32));
}

}  // namespace detail

/// Word w of the kLanes consecutive counters from some first one on, in lane order.
struct PhiloxWords {
  UInts word[4];
};

/// philox(key, counter + lane, counter_high) for each lane. The lower half of `counter` may not overflow on
/// the way.
GLM_INLINE PhiloxWords philox_lanes(uint64_t key, uint64_t counter, uint64_t counter_high) {
  ULongs twice_lane;
  for (int i = 0; i < kLanes / 2; i++) twice_lane[i] = static_cast<uint64_t>(2 * i);
  ULongs first = twice_lane + (counter & 0xffffffff), zero = {};
  detail::PhiloxState even = {first, zero + (counter >> 32), zero + (counter_high & 0xffffffff),
                              zero + (counter_high >> 32)};
  detail::PhiloxState odd = even;
  odd.c0 += 1;
  ULongs k0 = zero + (key & 0xffffffff), k1 = zero + (key >> 32);
  for (int i = 0; i < 10; i++) {
    even.round(k0, k1);
    odd.round(k0, k1);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{detail::join(even.c0, odd.c0), detail::join(even.c1, odd.c1), detail::join(even.c2, odd.c2),
           detail::join(even.c3, odd.c3)}};
}

/// Factors (0 or 1 / (1 - p)) of kLanes consecutive counters, one vector per word. For attention: with
/// `counter = attention_dropout_draw(head, tokens, offset, row, column).counter`, word w has the factors of
/// row (row & ~31) + (row & 7) + 8 w at the columns column, column + 1, …
struct DropoutFactors {
  Floats word[4];
};

GLM_INLINE DropoutFactors dropout_factors(const Dropout& dropout, uint64_t counter) {
  PhiloxWords words = philox_lanes(dropout.seed, counter, dropout.site);
  UInts threshold = UInts{} + dropout.threshold;
  Floats keep = broadcast(dropout.scale), drop = {};
  DropoutFactors factors;
  for (int w = 0; w < 4; w++) factors.word[w] = words.word[w] < threshold ? drop : keep;
  return factors;
}

constexpr int64_t kDropoutBlock = 64;  // elements that share 16 counters, see dropout_draw

/// Factors of the elements [64 · block, 64 · block + 64) of a tensor.
GLM_INLINE void dropout_block(const Dropout& dropout, uint64_t block, float* factors) {
  for (int lane = 0; lane < 16; lane += kLanes) {
    DropoutFactors some = dropout_factors(dropout, block << 4 | static_cast<uint64_t>(lane));
    for (int w = 0; w < 4; w++) store(factors + 16 * w + lane, some.word[w]);
  }
}

/// Factors of the elements [first, first + count) of a tensor; cheapest where whole blocks are asked for.
inline void dropout_range(const Dropout& dropout, uint64_t first, int64_t count, float* factors) {
  while (count > 0) {
    int64_t skip = static_cast<int64_t>(first % kDropoutBlock);
    int64_t take = kDropoutBlock - skip < count ? kDropoutBlock - skip : count;
    if (take == kDropoutBlock) {
      dropout_block(dropout, first / kDropoutBlock, factors);
    } else {
      float block[kDropoutBlock];
      dropout_block(dropout, first / kDropoutBlock, block);
      std::memcpy(factors, block + skip, static_cast<size_t>(take) * sizeof(float));
    }
    first += static_cast<uint64_t>(take);
    count -= take;
    factors += take;
  }
}

}  // namespace glm::GLM_ISA
