#pragma once

// The CUDA kernels. A file of this folder has the name of the CPU's and does the same steps; cuda/device
// holds what kernels share on the device, cuda/host what lies between the kernels and the CUDA runtime.
//
// Every kernel is started on one stream and nothing waits. `workspace` and all tensors are device memory;
// arrays that params.h says are on the host go through Queue::with_staged.

#include "backend/kernels.h"
#include "host/launch.h"

namespace glm::cuda {

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
  void run(const LstmForward&) override;
  void run(const LstmBackward&) override;
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
  size_t workspace_bytes(const LstmBackward&) const override;
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
  template <class... Parameters>
  void start(const Launch& launch, void (*kernel)(Parameters...),
             std::type_identity_t<Parameters>... arguments) {
    cuda::start(queue_, launch, kernel, arguments...);
  }

  Queue& queue_;
};

}  // namespace glm::cuda
