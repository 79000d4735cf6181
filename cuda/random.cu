// Normal random numbers from Philox words by Box and Muller's transform (1958):
//
//   out[i] = mean + deviation · sqrt(-2 ln u) · cos(2π t)   or   … · sin(2π t)
//
// The bits are the CPU's (cpp/cpu/random.cpp, where the choice of words is explained): every product and sum
// is rounded for itself, `product` keeps the compiler from fusing one into the other, and the polynomials
// are the same. A thread takes the four words of a counter, so four elements 16 apart; 16 threads fill a
// block of 64. About 40 operations and 4 bytes written per element.

#include "base/dropout.h"
#include "device/grid.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ float product(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ float sum(float a, float b) { return __fadd_rn(a, b); }

/// Horner's rule: ((c[0] x + c[1]) x + c[2]) x + …
template <int kCount>
__device__ __forceinline__ float polynomial(const float (&c)[kCount], float x) {
  float y = c[0];
#pragma unroll
  for (int i = 1; i < kCount; i++) y = sum(product(y, x), c[i]);
  return y;
}

/// -ln of a number in (0, 1]: x = m · 2^e with m in [sqrt(1/2), sqrt(2)), ln m = f - f²/2 + f³ p(f), f = m -
/// 1. Constants and coefficients as in cpp/cpu/vector_math.h.
__device__ __forceinline__ float minus_log(float x) {
  constexpr float kSqrtHalf = 0.707106781f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kLogExcess[] = {0.0674772859f, -0.116775155f, 0.118886977f,  -0.124053404f, 0.142194524f,
                                  -0.166680053f, 0.200021237f,  -0.250000089f, 0.333333135f};
  int above = __float_as_int(x) - __float_as_int(kSqrtHalf);
  float e = static_cast<float>(above >> 23);
  float f = sum(__int_as_float((above & 0x007fffff) + __float_as_int(kSqrtHalf)), -1.0f);
  float square = product(f, f);
  float low = sum(product(e, kLn2Low), product(product(f, square), polynomial(kLogExcess, f)));
  return -sum(product(e, kLn2High), sum(f, sum(low, -product(square, 0.5f))));
}

struct Direction {
  float cosine, sine;
};

/// cos and sin of 2π · turn / 2^32. The upper bits name the nearest quarter turn, the rest is an angle within
/// π/4.
__device__ __forceinline__ Direction direction(uint32_t turn) {
  constexpr float kRadians = 0x1.921fb6p-30f;  // 2π / 2^32
  constexpr float kSine[] = {-0.000195152184f, 0.0083321603f, -0.166666552f};
  constexpr float kCosine[] = {2.4383482e-05f, -0.00138866808f, 0.0416666195f, -0.5f};
  uint32_t quarter = (turn + 0x20000000u) >> 30;
  float angle = product(static_cast<float>(static_cast<int32_t>(turn - (quarter << 30))), kRadians);
  float square = product(angle, angle);
  float s = sum(angle, product(product(angle, square), polynomial(kSine, square)));
  float c = sum(product(square, polynomial(kCosine, square)), 1.0f);
  // Quarter turns take (c, s) to (-s, c), (-c, -s) and (s, -c).
  bool swapped = (quarter & 1) != 0;
  float cosine = swapped ? s : c, sine = swapped ? c : s;
  return {((quarter + 1) & 2) != 0 ? -cosine : cosine, (quarter & 2) != 0 ? -sine : sine};
}

/// Counter c has words for the elements 64 · (c / 16) + c % 16 + {0, 16, 32, 48}.
__global__ void normal(RandomNormal p, int64_t counters) {
  for_each_index(counters, [&](int64_t counter) {
    Philox4 words = philox(p.seed, static_cast<uint64_t>(counter), p.site);
    int64_t first = counter / 16 * 64 + counter % 16;
    auto put = [&](int64_t i, float x) {
      if (i < p.elements) p.out[i] = sum(x, p.mean);
    };
#pragma unroll
    for (int pair = 0; pair < 2; pair++) {
      float u = product(sum(static_cast<float>(words.word[2 * pair] >> 1), 0.5f), 0x1p-31f);
      float radius = __fsqrt_rn(product(minus_log(u), 2.0f));
      Direction d = direction(words.word[2 * pair + 1]);
      float scale = product(radius, p.deviation);
      put(first + 32 * pair, product(scale, d.cosine));
      put(first + 32 * pair + 16, product(scale, d.sine));
    }
  });
}

}  // namespace

void CudaKernels::run(const RandomNormal& p) {
  int64_t counters = (p.elements + 63) / 64 * 16;
  start({"normal", blocks_for(counters, kThreads), kThreads}, normal, p, counters);
}

}  // namespace glm::cuda
