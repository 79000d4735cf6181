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

std::unique_ptr<Recording> Device::record(const std::function<void()>& body) {
  require(recording_ == nullptr, Code::kInvalidArgument,
          "expected one recording of a device at a time, found another under way");
  std::shared_ptr<RecordedMemory> memory = recorded_memory_.lock();
  if (!memory) recorded_memory_ = memory = std::make_shared<RecordedMemory>(allocator_);
  recording_ = std::make_unique<Recording>(*this, std::move(memory));
  try {
    body();
  } catch (...) {
    recording_.reset();
    throw;
  }
  return std::move(recording_);
}

}  // namespace glm
