#pragma once

// Dropout on the device: the draws of base/dropout.h, so the CPU's bits.

#include "base/dropout.h"
#include "device/pack.cuh"

namespace glm::cuda {

/// dropout_factor, with the word chosen among registers: an index would put them into memory.
__device__ __forceinline__ float factor_of(const Dropout& dropout, DropoutDraw draw) {
  Philox4 four = philox(dropout.seed, draw.counter, dropout.site);
  uint32_t low = (draw.word & 1) != 0 ? four.word[1] : four.word[0];
  uint32_t high = (draw.word & 1) != 0 ? four.word[3] : four.word[2];
  return ((draw.word & 2) != 0 ? high : low) < dropout.threshold ? 0.0f : dropout.scale;
}

/// Multiplies the elements `first`, `first` + 1, … of a tensor by their factors, 0 or 1 / (1 - p).
template <int kElements>
__device__ __forceinline__ void drop(const Dropout& dropout, uint64_t first, Pack<kElements>& pack) {
  if (dropout.threshold == 0) return;
#pragma unroll
  for (int i = 0; i < kElements; i++) {
    pack.x[i] *= factor_of(dropout, dropout_draw(first + static_cast<uint64_t>(i)));
  }
}

}  // namespace glm::cuda
