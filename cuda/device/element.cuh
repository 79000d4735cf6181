#pragma once

// Elements of tensors on the device: loaded as float32, rounded to nearest even when stored.

#include <cuda_bf16.h>

#include "base/dtype.h"
#include "base/half.h"

namespace glm::cuda {

__device__ __forceinline__ float load(const float* x) { return *x; }
__device__ __forceinline__ float load(const bfloat16* x) { return to_float(*x); }
__device__ __forceinline__ float load(const float16* x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x->bits));
  return y;
}

__device__ __forceinline__ void store(float* out, float x) { *out = x; }
__device__ __forceinline__ void store(bfloat16* out, float x) {
  out->bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
}

/// Calls function(T{}) with the type of activations that `dtype` names: float or bfloat16.
template <class Function>
void with_element_type(DType dtype, const Function& function) {
  if (dtype == DType::kBFloat16) {
    function(bfloat16{});
  } else {
    function(float{});
  }
}

/// The same for weights, which are float16 too where a file has them so.
template <class Function>
void with_weight_type(DType dtype, const Function& function) {
  if (dtype == DType::kFloat16) {
    function(float16{});
  } else {
    with_element_type(dtype, function);
  }
}

}  // namespace glm::cuda
