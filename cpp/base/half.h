#pragma once

#include <cstdint>

#include "base/host_device.h"

namespace glm {

/// The upper half of a float32: same exponent range, 8 bits of precision. Rounds to nearest even.
struct bfloat16 {
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

}  // namespace glm
