#include "tensor/recording.h"

#include <bit>
#include <utility>

#include "tensor/device.h"

namespace glm {

RecordedMemory::~RecordedMemory() {
  for (auto [address, bytes] : blocks_) allocator_.release(address);
}

void* RecordedMemory::allocate(size_t bytes) {
  size_t rounded = std::bit_ceil(bytes);
  if (auto block = free_.find(rounded); block != free_.end()) {
    void* address = block->second;
    free_.erase(block);
    return address;
  }
  void* address = allocator_.allocate(rounded);
  blocks_.emplace(address, rounded);
  return address;
}

Recording::Recording(Device& device, std::shared_ptr<RecordedMemory> memory)
    : device_(device), where_{std::move(memory)} {
  where_.number = where_.memory->next_number();
}

// A program ends behind the runs of it, on the thread that runs it.
Recording::~Recording() {
  device_.stream().enqueue([replay = std::move(replay_)] {});
}

void Recording::run() {
  Backend& backend = device_.backend();
  device_.stream().enqueue([&backend, replay = replay_] {
    backend.perform([&] {
      if (!replay->program) {
        replay->program = backend.compile([&kernels = replay->kernels] {
          for (const std::function<void()>& kernel : kernels) kernel();
        });
      }
      replay->program->run();
    });
  });
}

}  // namespace glm
