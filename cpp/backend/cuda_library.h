#pragma once

#include "backend/backend.h"

namespace glm {

/// What libglm_cuda.so gives to the addon, through the one function that it exports, glm_cuda_library.
/// Nothing here throws. Both are built together; `interface` tells a library that was left from another
/// build.
struct CudaLibrary {
  static constexpr int kInterface = 2;

  int interface = kInterface;
  CudaSystem (*inspect)() = nullptr;
  /// `wait` returns when nothing that the host has enqueued is left to be started. Null with `error` set.
  std::unique_ptr<Backend> (*make_backend)(int device, std::function<void()> wait,
                                           std::optional<Error>& error) = nullptr;
};

}  // namespace glm
