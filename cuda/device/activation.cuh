#pragma once

// The activations and their derivatives, as cpp/cpu/vector_math.h has them: within a few rounding errors, and
// right for every input.

#include <cstdint>

namespace glm::cuda {

/// x/2 · (1 + tanh u) with u = sqrt(2/π) (x + 0.044715 x³), as x / (1 + e^-2u) (Hendrycks & Gimpel 2016,
/// section 2)
constexpr float kGeluScale = 0.797884561f;  // sqrt(2 / π)
constexpr float kGeluCubic = 0.044715f;

__device__ inline float gelu_tanh(float x) {
  return x / (1.0f + expf(-2.0f * kGeluScale * x * (1.0f + kGeluCubic * x * x)));
}

/// With s = 1 / (1 + e^-2u): s + x · s (1 - s) · 2u'
__device__ inline float gelu_tanh_derivative(float x) {
  x = fminf(fmaxf(x, -10.0f), 10.0f);  // 0 and 1 beyond; keeps e^-2u finite
  float square = x * x;
  float power = expf(-2.0f * kGeluScale * x * (1.0f + kGeluCubic * square));
  float s = 1.0f / (1.0f + power);
  return s + x * (s * (power * s)) * (2.0f * kGeluScale * (1.0f + 3.0f * kGeluCubic * square));
}

/// x · Φ(x), Φ the normal distribution
__device__ inline float gelu_erf(float x) { return x * normcdff(x); }

/// Φ(x) + x φ(x), φ the normal density
__device__ inline float gelu_erf_derivative(float x) {
  constexpr float kInverseSqrtTwoPi = 0.398942280f;
  x = fminf(fmaxf(x, -14.0f), 14.0f);  // 0 and 1 beyond; keeps x φ(x) from infinity · 0
  return normcdff(x) + x * kInverseSqrtTwoPi * expf(-0.5f * x * x);
}

__device__ inline float tanh_derivative(float x) {
  float y = tanhf(x);
  return 1.0f - y * y;
}

}  // namespace glm::cuda
