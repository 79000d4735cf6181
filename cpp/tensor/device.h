#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "backend/backend.h"
#include "runtime/allocator.h"
#include "runtime/stream.h"
#include "tensor/recording.h"

namespace glm {

template <class Params>
concept HasWorkspace = requires(Params params, const Kernels& kernels) {
  params.workspace;
  kernels.workspace_bytes(params);
};

/// A backend with its memory and the stream its work goes through. Used by one thread, the one that enqueues.
class Device {
 public:
  /// `arrivals` waits for what is on its way to the host; null for a backend whose downloads are there at
  /// once.
  Device(std::shared_ptr<Stream> stream, std::shared_ptr<Stream> arrivals, std::unique_ptr<Backend> backend);
  ~Device();

  Backend& backend() { return *backend_; }
  Stream& stream() { return *stream_; }
  Stream& arrivals() { return *arrivals_; }
  Allocator& allocator() { return allocator_; }

  /// Enqueues a kernel, with scratch memory if it wants any. `keep` lives until the kernel has run: host
  /// arrays that the parameters point to.
  template <class Params>
  void launch(Params params, std::shared_ptr<const void> keep = nullptr) {
    RecordedMemory* recorded = recording_ ? &recording_->memory() : nullptr;
    void* scratch = nullptr;
    if constexpr (HasWorkspace<Params>) {
      if (size_t bytes = backend_->kernels().workspace_bytes(params); bytes > 0)
        params.workspace = scratch = recorded ? recorded->allocate(bytes) : allocator_.allocate(bytes);
    }
    auto run = [&kernels = backend_->kernels(), params, keep = std::move(keep)] { kernels.run(params); };
    if (recorded) {
      recording_->add(std::move(run));
    } else {
      stream_->enqueue([&backend = *backend_, run = std::move(run)] { backend.perform(run); });
    }
    if (scratch == nullptr) return;
    // Whoever gets it next is enqueued, or recorded, behind.
    if (recorded) {
      recorded->release(scratch);
    } else {
      allocator_.release(scratch);
    }
  }

  /// What is being recorded, or null.
  Recording* recording() const { return recording_.get(); }
  /// Throws while something is recorded: copies from and to the host cannot be.
  void check_not_recording() const {
    require(recording_ == nullptr, Code::kInvalidArgument,
            "expected kernels alone in a recording, found a copy from or to the host");
  }
  /// Records the kernels that `body` launches, rather than enqueueing them. Throws what `body` throws.
  std::unique_ptr<Recording> record(const std::function<void()>& body);

 private:
  std::shared_ptr<Stream> stream_, arrivals_;
  std::unique_ptr<Backend> backend_;
  Allocator allocator_;
  std::weak_ptr<RecordedMemory> recorded_memory_;
  std::unique_ptr<Recording> recording_;
};

}  // namespace glm
