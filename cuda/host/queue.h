#pragma once

#include <cuda_runtime.h>

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "backend/backend.h"
#include "host/device_state.h"

namespace glm::cuda {

/// The order of work on one device: a stream for kernels, and one for copies from the host, which run while
/// the kernels of earlier steps still do. Bytes from the host go through slots, each a piece of pinned host
/// memory and a piece of device memory of the same size; events say when a slot's halves are free again.
class Queue {
 public:
  static constexpr size_t kSlotBytes = size_t{1} << 20;

  Queue(int device, uint64_t life);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  int device() const { return device_; }
  uint64_t life() const { return life_; }
  cudaStream_t stream() const { return compute_; }
  const cudaDeviceProp& properties() const { return properties_; }

  void upload(void* to, const void* host, size_t bytes);
  std::unique_ptr<Download> download(void* host, const void* from, size_t bytes);
  void synchronize();
  /// A graph of what `kernels` starts, which does not run now. They may take nothing from the host but their
  /// arguments. The caller destroys it.
  cudaGraph_t capture(const std::function<void()>& kernels);

  /// Calls start(address) with the device's copy of host bytes, at most a slot full, for kernels that it
  /// starts and that only read them. What lies in a slot already, as the tiles of each layer do after the
  /// first, is not sent again.
  template <class Start>
  void with_staged(const void* host, size_t bytes, const Start& start) {
    Slot& slot = stage(host, bytes);
    start(slot.device);
    release(slot);
  }

 private:
  struct Slot {
    void* pinned = nullptr;
    void* device = nullptr;
    size_t bytes = 0;              // that both halves have alike
    cudaEvent_t copied = nullptr;  // the pinned half may be written again
    cudaEvent_t used = nullptr;    // the device half may be
  };
  class Arrival;
  struct Landing {  // of a download
    void* pinned = nullptr;
    cudaEvent_t arrived = nullptr;
  };

  Slot& stage(const void* host, size_t bytes);
  void release(Slot& slot);
  Landing take_landing();
  void give_back(Landing landing);

  int device_;
  uint64_t life_;
  cudaDeviceProp properties_{};
  cudaStream_t compute_ = nullptr, copies_ = nullptr;
  std::array<Slot, 16> slots_;  // more than a training step sends, so that its copies wait for no earlier one
  size_t next_slot_ = 0;
  bool capturing_ = false;
  std::mutex landings_mutex_;  // taken on the stream's thread, given back on the one that waits
  std::vector<Landing> landings_;
};

}  // namespace glm::cuda
