#pragma once

#include <cstdint>

#include "base/host_device.h"

namespace glm {

/// The upper half of a float32: same exponent range, 8 bits of precision. Rounds to nearest even.
struct bfloat16 {
  uint16_t bits;
};

/// IEEE half precision: 11 bits of precision, sizes from 2^-24 to 65504. Rounds to nearest even.
struct float16 {
  uint16_t bits;
};

namespace detail {

union FloatBits {
  float value;
  uint32_t bits;
};

}  // namespace detail

GLM_HOST_DEVICE inline float to_float(float x) { return x; }

GLM_HOST_DEVICE inline float to_float(bfloat16 x) {
  detail::FloatBits f;
  f.bits = static_cast<uint32_t>(x.bits) << 16;
  return f.value;
}

GLM_HOST_DEVICE inline bfloat16 to_bfloat16(float x) {
  detail::FloatBits f;
  f.value = x;
  if ((f.bits & 0x7fffffffu) > 0x7f800000u)
    return {static_cast<uint16_t>((f.bits >> 16) | 0x40u)};  // stay NaN
  return {static_cast<uint16_t>((f.bits + 0x7fffu + ((f.bits >> 16) & 1u)) >> 16)};
}

GLM_HOST_DEVICE inline float to_float(float16 x) {
  uint32_t size = x.bits & 0x7fffu;
  detail::FloatBits f;
  f.bits = size << 13;
  f.value *= 0x1p112f;  // the difference of the exponents' biases; right for subnormal numbers too
  if (size >= 0x7c00u) f.bits |= 0x7f800000u;
  f.bits |= static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  return f.value;
}

GLM_HOST_DEVICE inline float16 to_float16(float x) {
  detail::FloatBits f;
  f.value = x;
  uint32_t sign = (f.bits >> 16) & 0x8000u;
  f.bits &= 0x7fffffffu;
  uint32_t size;
  if (f.bits > 0x7f800000u) {
    size = 0x7e00u | ((f.bits >> 13) & 0x3ffu);  // stay NaN
  } else if (f.bits >= 0x477ff000u) {
    size = 0x7c00u;  // 65520 and more
  } else if (f.bits < 0x38800000u) {
    f.value += 0.5f;  // subnormal: the addition rounds to multiples of 2^-24
    size = f.bits - 0x3f000000u;
  } else {
    size = (f.bits + ((f.bits >> 13) & 1u) - 0x37fff001u) >> 13;
  }
  return {static_cast<uint16_t>(sign | size)};
}

}  // namespace glm
