#pragma once

#include <memory>
#include <utility>

#include "backend/backend.h"
#include "runtime/allocator.h"
#include "runtime/stream.h"

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
    void* scratch = nullptr;
    if constexpr (HasWorkspace<Params>) {
      if (size_t bytes = backend_->kernels().workspace_bytes(params); bytes > 0) {
        params.workspace = scratch = allocator_.allocate(bytes);
      }
    }
    stream_->enqueue([&backend = *backend_, params, keep = std::move(keep)] {
      backend.perform([&] { backend.kernels().run(params); });
    });
    if (scratch != nullptr) allocator_.release(scratch);  // whoever gets it next is enqueued behind
  }

 private:
  std::shared_ptr<Stream> stream_, arrivals_;
  std::unique_ptr<Backend> backend_;
  Allocator allocator_;
};

}  // namespace glm
