#pragma once

#include <cuda_runtime.h>

#include "base/error.h"

namespace glm::cuda {

/// Throws when a call of the CUDA runtime failed; `what` says what was tried.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that does not end the context is forgotten by it
  fail(status == cudaErrorMemoryAllocation ? Code::kOutOfMemory : Code::kCuda, "CUDA failed in ", what, ": ",
       cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

}  // namespace glm::cuda
