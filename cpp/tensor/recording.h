#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "runtime/allocator.h"

namespace glm {

class Device;

/// Memory that the recordings of a device share: their kernels use it each time they run, so that nobody else
/// gets it while one of them may. What an op gives back is taken by the next of any recording, since they run
/// one after the other. Blocks are powers of two, so that those of small recordings do not add up beside
/// those of large ones. Of the thread that enqueues.
class RecordedMemory {
 public:
  explicit RecordedMemory(Allocator& allocator) : allocator_(allocator) {}
  ~RecordedMemory();
  RecordedMemory(const RecordedMemory&) = delete;
  RecordedMemory& operator=(const RecordedMemory&) = delete;

  void* allocate(size_t bytes);
  void release(void* address) { free_.emplace(blocks_.at(address), address); }
  /// A number for each recording.
  uint64_t next_number() { return ++recordings_; }

 private:
  Allocator& allocator_;
  std::map<void*, size_t> blocks_;
  std::multimap<size_t, void*> free_;
  uint64_t recordings_ = 0;
};

/// Whose memory something lies in: that of no recording, or of which.
struct RecordedIn {
  std::shared_ptr<RecordedMemory> memory;
  uint64_t number = 0;
};

/// Kernels that were enqueued once and can be again, as one: with the same arguments, on memory whose
/// contents may have changed. Made by Device::record.
class Recording {
 public:
  Recording(Device& device, std::shared_ptr<RecordedMemory> memory);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// Enqueues all of its kernels.
  void run();

  /// While it is made: another kernel, …
  void add(std::function<void()> kernel) { replay_->kernels.push_back(std::move(kernel)); }
  /// … and what the kernels read that was there before.
  void keep(std::shared_ptr<const void> value) { kept_.push_back(std::move(value)); }
  const RecordedIn& where() const { return where_; }
  RecordedMemory& memory() { return *where_.memory; }

 private:
  /// Of the stream's thread.
  struct Replay {
    std::vector<std::function<void()>> kernels;
    std::unique_ptr<Program> program;  // from the first run on
  };

  Device& device_;
  RecordedIn where_;
  std::vector<std::shared_ptr<const void>> kept_;
  std::shared_ptr<Replay> replay_ = std::make_shared<Replay>();
};

}  // namespace glm
