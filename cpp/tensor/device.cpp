#include "tensor/device.h"

namespace glm {

Device::Device(std::shared_ptr<Stream> stream, std::shared_ptr<Stream> arrivals,
               std::unique_ptr<Backend> backend)
    : stream_(std::move(stream)),
      arrivals_(std::move(arrivals)),
      backend_(std::move(backend)),
      allocator_(backend_->memory()) {}

// Enqueued kernels refer to the backend and to its memory.
Device::~Device() {
  stream_->wait();
  if (arrivals_) arrivals_->wait();
}

}  // namespace glm
