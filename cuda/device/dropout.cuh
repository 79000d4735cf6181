#pragma once

// Dropout on the device: the draws of base/dropout.h, so the CPU's bits.

#include "base/dropout.h"
#include "device/pack.cuh"

namespace glm::cuda {

/// Multiplies the elements `first`, `first` + 1, … of a tensor by their factors, 0 or 1 / (1 - p).
template <int kElements>
__device__ __forceinline__ void drop(const Dropout& dropout, uint64_t first, Pack<kElements>& pack) {
  if (dropout.threshold == 0) return;
#pragma unroll
  for (int i = 0; i < kElements; i++) {
    pack.x[i] *= dropout_factor(dropout, dropout_draw(first + static_cast<uint64_t>(i)));
  }
}

}  // namespace glm::cuda
