#pragma once

// The CUDA kernels. A file of this folder has the name of the CPU's and does the same steps; cuda/device
// holds what kernels share on the device, cuda/host what lies between the kernels and the CUDA runtime.
//
// Every kernel is started on one stream and nothing waits. `workspace` and all tensors are device memory;
// arrays that params.h says are on the host go through Queue::with_staged.

#include <type_traits>

#include "backend/kernels.h"
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

class CudaKernels final : public Kernels {
 public:
  explicit CudaKernels(Queue& queue) : queue_(queue) {}

  void run(const Zero&) override;
  void run(const Add&) override;
  void run(const Cast&) override;
  void run(const GatherRows&) override;
  void run(const ScatterRows&) override;
  void run(const RandomNormal&) override;
  void run(const EmbeddingForward&) override;
  void run(const EmbeddingBackward&) override;
  void run(const LayerNormForward&) override;
  void run(const LayerNormBackward&) override;
  void run(const LinearForward&) override;
  void run(const LinearBackward&) override;
  void run(const AttentionForward&) override;
  void run(const AttentionBackward&) override;
  void run(const CrossEntropy&) override;
  void run(const PlanSpans&) override;
  void run(const LayOutSpans&) override;
  void run(const CopyBlocks&) override;
  void run(const StoreKeyValues&) override;
  void run(const AttentionCached&) override;
  void run(const ChooseTokens&) override;
  void run(const SquaredNorm&) override;
  void run(const AdamW&) override;

  size_t workspace_bytes(const EmbeddingBackward&) const override;
  size_t workspace_bytes(const LayerNormBackward&) const override;
  size_t workspace_bytes(const LinearForward&) const override;
  size_t workspace_bytes(const LinearBackward&) const override;
  size_t workspace_bytes(const AttentionForward&) const override;
  size_t workspace_bytes(const AttentionBackward&) const override;
  size_t workspace_bytes(const CrossEntropy&) const override;
  size_t workspace_bytes(const PlanSpans&) const override;
  size_t workspace_bytes(const AttentionCached&) const override;
  size_t workspace_bytes(const ChooseTokens&) const override;
  size_t workspace_bytes(const SquaredNorm&) const override;

 private:
  /// Starts a kernel behind everything started before. A grid without blocks is no work.
  template <class... Parameters>
  void start(const Launch& launch, void (*kernel)(Parameters...),
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
    check(cudaLaunchKernel(function, launch.grid, launch.block, addresses, launch.shared_bytes,
                           queue_.stream()),
          launch.op);
  }

  Queue& queue_;
};

}  // namespace glm::cuda
