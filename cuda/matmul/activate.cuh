#pragma once

#include "backend/params.h"
#include "device/activation.cuh"

namespace glm::cuda {

__device__ inline float activate(Activation activation, float x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGeluTanh:
      return gelu_tanh(x);
    case Activation::kGeluErf:
      return gelu_erf(x);
    case Activation::kTanh:
      return tanhf(x);
    case Activation::kRelu:
      return x > 0.0f ? x : 0.0f;
  }
  return x;
}

__device__ inline float activation_derivative(Activation activation, float x) {
  switch (activation) {
    case Activation::kNone:
      return 1.0f;
    case Activation::kGeluTanh:
      return gelu_tanh_derivative(x);
    case Activation::kGeluErf:
      return gelu_erf_derivative(x);
    case Activation::kTanh:
      return tanh_derivative(x);
    case Activation::kRelu:
      return x > 0.0f ? 1.0f : 0.0f;
  }
  return 1.0f;
}

}  // namespace glm::cuda
