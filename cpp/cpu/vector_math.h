#pragma once

// exp, log, tanh, erf and the two GELUs on vectors, for every input: results within 2.5 ulp of the true value
// (exp and log 1.2) (the activations: within a few rounding errors of their largest term), right at
// infinities, NaN, overflow and underflow. Each function reduces its argument to a short interval and
// evaluates there a polynomial that minimises the largest relative error (Lawson's iteration on Chebyshev
// nodes). The errors given are the polynomials' own, in units of 2^-24.

#include "cpu/simd.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace glm::GLM_ISA {

namespace detail {

constexpr float kLog2E = 1.44269504f;
constexpr float kLn2High = 0.693359375f;  // 9 bits: its product with a whole number up to 2^15 is exact
constexpr float kLn2Low = -2.12194440e-4f;
constexpr float kRoundingBias =
    0x1.8p23f;  // x + bias - bias rounds x to a whole number, which the sum's low bits hold

constexpr float kSqrtHalf = 0.707106781f;
constexpr float kInverseSqrtTwoPi = 0.398942280f;

// The coefficients of the polynomials, highest power first.
// (e^r - 1 - r) / r² for |r| <= ln 2 / 2 (0.05)
constexpr float kExpExcess[] = {0.00138144335f, 0.00836879667f, 0.0416683964f, 0.166665196f, 0.5f};
// (ln(1 + f) - f + f²/2) / f³ for sqrt(1/2) <= 1 + f < sqrt(2) (0.01)
constexpr float kLogExcess[] = {0.0674772859f, -0.116775155f, 0.118886977f,  -0.124053404f, 0.142194524f,
                                -0.166680053f, 0.200021237f,  -0.250000089f, 0.333333135f};
// erf(x) / x - 1 in x² for |x| <= 1 (0.02); less 1, so that x + x · p rounds but once at full weight
constexpr float kErfExcess[] = {7.85386073e-05f, -0.000801019371f, 0.00518832775f, -0.0268538129f,
                                0.112835854f,    -0.37612626f,     0.12837911f};
// ln(1 - erf(a)) for 1 <= a; 1 - erf(a) is off by at most 3e-9 in itself and by 2e-7 of itself up to a = 4.2
constexpr float kLogErfc[] = {-1.52534485e-05f, 0.000351130293f, -0.00367622962f, 0.0235347264f,
                              -0.105325185f,    -0.636554718f,   -1.12763727f,    -0.000282754889f};

/// Horner's rule: ((c[0] x + c[1]) x + c[2]) x + …
template <int count>
GLM_INLINE Floats polynomial(const float (&c)[count], Floats x) {
  Floats y = x * c[0] + c[1];
  for (int i = 2; i < count; i++) y = y * x + c[i];
  return y;
}

/// x = whole · ln 2 + rest with |rest| <= ln 2 / 2
struct ReducedExponent {
  Floats whole;
  Ints whole_bits;  // the whole number in its low bits, of which the lowest 9 are meaningful
  Floats rest;
};

GLM_INLINE ReducedExponent reduce_exponent(Floats x) {
  Floats biased = x * kLog2E + kRoundingBias;
  Floats whole = biased - kRoundingBias;
  return {whole, bits_of(biased), x - whole * kLn2High - whole * kLn2Low};
}

/// e^r - 1 for |r| <= ln 2 / 2
GLM_INLINE Floats expm1_near_zero(Floats r) { return r + r * r * polynomial(kExpExcess, r); }

/// erf(x) / x - 1 for |x| <= 1, from x²
GLM_INLINE Floats erf_excess_near_zero(Floats square) { return polynomial(kErfExcess, square); }

/// ln(1 - erf(a)) for a >= 1
GLM_INLINE Floats log_erfc_tail(Floats a) {
  return polynomial(kLogErfc, a > 10.0f ? broadcast(10.0f) : a);  // its exponential is zero from 10 on
}

}  // namespace detail

GLM_INLINE Floats absolute(Floats x) { return floats_of(bits_of(x) & 0x7fffffff); }
/// |magnitude| with the sign of `sign`
GLM_INLINE Floats copy_sign(Floats magnitude, Floats sign) {
  return floats_of((bits_of(magnitude) & 0x7fffffff) | (bits_of(sign) & INT32_MIN));
}
/// x within [low, high]; NaN stays NaN
GLM_INLINE Floats clamp(Floats x, float low, float high) {
  return min(broadcast(high), max(broadcast(low), x));
}

/// e^x
GLM_INLINE Floats exp(Floats x) {
  x = clamp(x, -104.0f, 89.0f);  // e^-104 rounds to zero, e^89 to infinity
  detail::ReducedExponent e = detail::reduce_exponent(x);
  Floats mantissa = detail::expm1_near_zero(e.rest) + 1.0f;
#if defined(__AVX512F__)
  // The masked spelling, because the header of the plain one makes g++ 12 warn of an uninitialised value.
  return reinterpret_cast<Floats>(
      _mm512_maskz_scalef_ps(0xffff, reinterpret_cast<__m512>(mantissa), reinterpret_cast<__m512>(e.whole)));
#else
  // 2^whole may lie outside the normal numbers: two factors that don't.
  Ints whole = e.whole_bits - bits_of(broadcast(detail::kRoundingBias));
  Ints half = whole >> 1;
  return mantissa * floats_of((half + 127) << 23) * floats_of((whole - half + 127) << 23);
#endif
}

/// The natural logarithm; -infinity at 0, NaN below.
GLM_INLINE Floats log(Floats x) {
  Ints subnormal = x < 0x1p-126f;
  Floats scaled = subnormal ? x * 0x1p23f : x;
  // scaled = m · 2^e with m in [sqrt(1/2), sqrt(2))
  Ints above = bits_of(scaled) - bits_of(broadcast(detail::kSqrtHalf));
  Floats e = __builtin_convertvector(above >> 23, Floats) - (subnormal ? broadcast(23.0f) : Floats{});
  Floats f = floats_of((above & 0x007fffff) + bits_of(broadcast(detail::kSqrtHalf))) - 1.0f;
  Floats square = f * f;
  Floats low = e * detail::kLn2Low + f * square * detail::polynomial(detail::kLogExcess, f);
  Floats y = e * detail::kLn2High + (f + (low - 0.5f * square));
  Floats infinity = broadcast(__builtin_inff());
  y = x < infinity ? y : x;  // infinity and NaN
  y = x == 0.0f ? -infinity : y;
  return x < 0.0f ? broadcast(__builtin_nanf("")) : y;
}

/// (e^2a - 1) / (e^2a + 1) for a = |x|, with e^2a - 1 kept to full relative precision near zero
GLM_INLINE Floats tanh(Floats x) {
  Floats twice = min(broadcast(20.0f), 2.0f * absolute(x));  // tanh(10) rounds to 1
  detail::ReducedExponent e = detail::reduce_exponent(twice);
  Floats power = floats_of((e.whole_bits + 127) << 23);
  Floats expm1 = power * detail::expm1_near_zero(e.rest) + (power - 1.0f);
  return copy_sign(expm1 / (expm1 + 2.0f), x);
}

GLM_INLINE Floats tanh_derivative(Floats x) {
  Floats y = tanh(x);
  return 1.0f - y * y;
}

GLM_INLINE Floats relu(Floats x) { return max(x, Floats{}); }

GLM_INLINE Floats relu_derivative(Floats x) { return x > 0.0f ? broadcast(1.0f) : Floats{}; }

GLM_INLINE Floats erf(Floats x) {
  Floats a = absolute(x);
  Floats near = x + x * detail::erf_excess_near_zero(x * x);
  Floats far = copy_sign(1.0f - exp(detail::log_erfc_tail(a)), x);
  return a < 1.0f ? near : far;
}

namespace detail {

constexpr float kGeluScale = 0.797884561f;  // sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f;

/// Φ(x) = (1 + erf(x / sqrt(2))) / 2, the normal distribution; the lower tail without cancellation
GLM_INLINE Floats normal_distribution(Floats x) {
  Floats z = x * kSqrtHalf, a = absolute(z);
  Floats half = 0.5f * z;
  Floats near = 0.5f + (half + half * erf_excess_near_zero(z * z));
  Floats tail = 0.5f * exp(log_erfc_tail(a));
  Floats far = z < 0.0f ? tail : 1.0f - tail;
  return a < 1.0f ? near : far;
}

}  // namespace detail

/// x/2 · (1 + tanh u) with u = sqrt(2/π) (x + 0.044715 x³), as x / (1 + e^-2u) (Hendrycks & Gimpel 2016,
/// section 2)
GLM_INLINE Floats gelu_tanh(Floats x) {
  Floats minus_twice_u = -2.0f * detail::kGeluScale * x * (1.0f + detail::kGeluCubic * x * x);
  return x / (1.0f + exp(minus_twice_u));
}

/// With s = 1 / (1 + e^-2u): s + x · s (1 - s) · 2u'
GLM_INLINE Floats gelu_tanh_derivative(Floats x) {
  x = clamp(x, -10.0f, 10.0f);  // 0 and 1 beyond; keeps e^-2u finite
  Floats square = x * x;
  Floats power = exp(-2.0f * detail::kGeluScale * x * (1.0f + detail::kGeluCubic * square));
  Floats s = 1.0f / (1.0f + power);
  Floats twice_slope = 2.0f * detail::kGeluScale * (1.0f + 3.0f * detail::kGeluCubic * square);
  return s + x * (s * (power * s)) * twice_slope;
}

/// x · Φ(x)
GLM_INLINE Floats gelu_erf(Floats x) { return x * detail::normal_distribution(x); }

/// Φ(x) + x φ(x), φ the normal density
GLM_INLINE Floats gelu_erf_derivative(Floats x) {
  x = clamp(x, -14.0f, 14.0f);  // 0 and 1 beyond; keeps x φ(x) from infinity · 0
  return detail::normal_distribution(x) + x * detail::kInverseSqrtTwoPi * exp(-0.5f * x * x);
}

}  // namespace glm::GLM_ISA
