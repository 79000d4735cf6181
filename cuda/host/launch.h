#pragma once

#include <type_traits>

#include "host/queue.h"
#include "host/status.h"

namespace glm::cuda {

/// How a kernel is started.
struct Launch {
  const char* op;  // for error messages
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;  // dynamic shared memory
};

/// Starts a kernel behind everything started before. A grid without blocks is no work.
template <class... Parameters>
void start(const Queue& queue, const Launch& launch, void (*kernel)(Parameters...),
           std::type_identity_t<Parameters>... arguments) {
  if (launch.grid.x == 0 || launch.grid.y == 0 || launch.grid.z == 0) return;
  auto function = reinterpret_cast<const void*>(kernel);
  constexpr size_t kAlwaysAllowed = size_t{48} << 10;
  if (launch.shared_bytes > kAlwaysAllowed) {
    check(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(launch.shared_bytes)),
          launch.op);
  }
  void* addresses[] = {&arguments...};
  check(cudaLaunchKernel(function, launch.grid, launch.block, addresses, launch.shared_bytes, queue.stream()),
        launch.op);
}

}  // namespace glm::cuda
