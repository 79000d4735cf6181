#pragma once

#include "base/dtype.h"
#include "base/half.h"
#include "cpu/simd.h"

namespace glm::GLM_ISA {

/// Calls function(T{}) with the type of activations that `dtype` names: float or bfloat16.
template <class Function>
GLM_INLINE void with_element_type(DType dtype, const Function& function) {
  if (dtype == DType::kBFloat16) {
    function(bfloat16{});
  } else {
    function(float{});
  }
}

/// The same for weights, which are float16 too where a file has them so.
template <class Function>
GLM_INLINE void with_weight_type(DType dtype, const Function& function) {
  if (dtype == DType::kFloat16) {
    function(float16{});
  } else {
    with_element_type(dtype, function);
  }
}

/// Rows of `width` elements that make a piece of work worth handing to a thread.
GLM_INLINE int64_t rows_per_piece(int64_t width) {
  constexpr int64_t kElements = 16384;
  return width >= kElements ? 1 : (kElements + width - 1) / (width > 0 ? width : 1);
}

}  // namespace glm::GLM_ISA
