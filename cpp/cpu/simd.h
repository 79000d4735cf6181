#pragma once

// Vectors of the width of this instruction set, as the compiler's own vector type: +, *, comparisons and a *
// b + c (contracted to one fused operation) are written plainly. Include only from cpp/cpu/*.cpp.

#include <cstdint>
#include <cstring>

#if defined(__AVX2__) && !defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "base/half.h"

#if defined(__AVX512F__)
#define GLM_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define GLM_VECTOR_BYTES 32
#else
#define GLM_VECTOR_BYTES 16
#endif

#define GLM_INLINE inline __attribute__((always_inline))

namespace glm::GLM_ISA {

typedef float Floats __attribute__((vector_size(GLM_VECTOR_BYTES)));
typedef int32_t Ints __attribute__((vector_size(GLM_VECTOR_BYTES)));
typedef uint32_t UInts __attribute__((vector_size(GLM_VECTOR_BYTES)));
typedef uint64_t ULongs
    __attribute__((vector_size(GLM_VECTOR_BYTES)));  // half as many lanes, each twice as wide
typedef uint16_t Shorts __attribute__((vector_size(GLM_VECTOR_BYTES / 2)));

constexpr int kLanes = GLM_VECTOR_BYTES / 4;

GLM_INLINE Floats broadcast(float x) { return x - Floats{}; }

GLM_INLINE Floats load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
GLM_INLINE void store(float* p, Floats v) { std::memcpy(p, &v, sizeof v); }

#if defined(__AVX2__) && !defined(__AVX512F__)
// One instruction for what GCC 12 makes of plain conversions from 16 bits in four and more.
GLM_INLINE Floats load(const bfloat16* p) {
  __m128i halves;
  std::memcpy(&halves, p, sizeof halves);
  return reinterpret_cast<Floats>(reinterpret_cast<Ints>(_mm256_cvtepu16_epi32(halves)) << 16);
}
GLM_INLINE Floats load(const float16* p) {
  __m128i halves;
  std::memcpy(&halves, p, sizeof halves);
  return _mm256_cvtph_ps(halves);
}
#else
GLM_INLINE Floats load(const bfloat16* p) {
  Shorts s;
  std::memcpy(&s, p, sizeof s);
  Ints wide = __builtin_convertvector(s, Ints) << 16;
  return reinterpret_cast<Floats>(wide);
}
/// Without arithmetic on subnormal floats, which would be slow.
GLM_INLINE Floats load(const float16* p) {
  Shorts s;
  std::memcpy(&s, p, sizeof s);
  Ints bits = __builtin_convertvector(s, Ints), size = bits & 0x7fff;
  Ints normal = (size << 13) + (112 << 23);  // the difference of the exponents' biases
  Floats tiny = __builtin_convertvector(size, Floats) * 0x1p-24f;
  Ints wide = size < 0x400 ? reinterpret_cast<Ints>(tiny) : normal;
  wide |= size >= 0x7c00 ? Ints{} + 0x7f800000 : Ints{};
  return reinterpret_cast<Floats>(wide | (bits & 0x8000) << 16);
}
#endif
/// Rounds to nearest even; NaN stays NaN.
GLM_INLINE void store(bfloat16* p, Floats v) {
  Ints bits = reinterpret_cast<Ints>(v);
  Ints rounded = ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) & 0xffff;
  Ints nan = ((bits >> 16) | 0x40) & 0xffff;
  Shorts s = __builtin_convertvector(v == v ? rounded : nan, Shorts);
  std::memcpy(p, &s, sizeof s);
}

/// The first `count` < kLanes elements; the other lanes are zero.
template <class T>
GLM_INLINE Floats load_some(const T* p, int64_t count) {
  T lanes[kLanes] = {};
  for (int64_t i = 0; i < count; i++) lanes[i] = p[i];
  return load(lanes);
}
template <class T>
GLM_INLINE void store_some(T* p, Floats v, int64_t count) {
  T lanes[kLanes];
  store(lanes, v);
  for (int64_t i = 0; i < count; i++) p[i] = lanes[i];
}

/// The next min(count, kLanes) elements, for loops whose last step may be short; the other lanes are zero.
template <class T>
GLM_INLINE Floats load_upto(const T* p, int64_t count) {
  return count >= kLanes ? load(p) : load_some(p, count);
}
template <class T>
GLM_INLINE void store_upto(T* p, Floats v, int64_t count) {
  if (count >= kLanes) {
    store(p, v);
  } else {
    store_some(p, v, count);
  }
}

GLM_INLINE Ints bits_of(Floats v) { return reinterpret_cast<Ints>(v); }
GLM_INLINE Floats floats_of(Ints bits) { return reinterpret_cast<Floats>(bits); }

/// A NaN in `a` gives `b`; to keep a NaN, pass it second.
GLM_INLINE Floats max(Floats a, Floats b) { return a > b ? a : b; }
GLM_INLINE Floats min(Floats a, Floats b) { return a < b ? a : b; }

GLM_INLINE Floats sqrt(Floats v) {
  for (int i = 0; i < kLanes; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
}

/// v in the first `count` lanes, zero in the others
GLM_INLINE Floats keep_first(Floats v, int64_t count) {
  Ints lane;
  for (int i = 0; i < kLanes; i++) lane[i] = i;
  return lane < static_cast<int32_t>(count) ? v : Floats{};
}

GLM_INLINE float sum(Floats v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}
GLM_INLINE float largest(Floats v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
  }
  return lanes[0];
}

}  // namespace glm::GLM_ISA
