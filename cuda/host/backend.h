#pragma once

#include <functional>

#include "host/queue.h"
#include "kernels.h"

namespace glm::cuda {

/// Segments of a device's memory, for the allocator.
class DeviceMemory final : public MemorySource {
 public:
  DeviceMemory(Queue& queue, std::function<void()> wait) : queue_(queue), wait_(std::move(wait)) {}

  void* allocate(size_t bytes) override;
  void release(void* address, size_t bytes) override;
  std::optional<Error> fault() const override;
  std::string describe() const override;
  void wait_until_idle() override;

 private:
  Queue& queue_;
  std::function<void()> wait_;  // until the host has started all it enqueued
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, uint64_t life, std::function<void()> wait)
      : queue_(device, life), memory_(queue_, std::move(wait)), kernels_(queue_) {}

  Kernels& kernels() override { return kernels_; }
  MemorySource& memory() override { return memory_; }
  std::unique_ptr<Program> compile(std::function<void()> kernels) override;
  void upload(void* device, const void* host, size_t bytes) override { queue_.upload(device, host, bytes); }
  std::unique_ptr<Download> download(void* host, const void* device, size_t bytes) override {
    return queue_.download(host, device, bytes);
  }
  void synchronize() override { queue_.synchronize(); }
  std::string name() const override { return text("cuda:", queue_.device()); }
  std::string instruction_set() const override;
  int threads() const override { return 1; }

 private:
  std::optional<Error> attempt(const std::function<void()>& work) override;

  Queue queue_;
  DeviceMemory memory_;
  CudaKernels kernels_;
};

}  // namespace glm::cuda
