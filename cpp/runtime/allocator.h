#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace glm {

/// Where an allocator gets its segments from: the host's memory, or a device's.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  /// `bytes` aligned to 256, or nullptr when there is no memory.
  virtual void* allocate(size_t bytes) = 0;
  /// What makes the device unusable, if anything: then there is no memory for another reason than its size.
  virtual std::optional<Error> fault() const { return std::nullopt; }
  /// For messages: whose memory it is, and what is left of it where that is known.
  virtual std::string describe() const = 0;
  virtual void release(void* address, size_t bytes) = 0;
  /// Returns when no enqueued work can touch memory any more; called before segments are given back, on any
  /// thread.
  virtual void wait_until_idle() = 0;
};

/// Segments on their way back: the source gets them when this goes, after the work that may touch them.
class ReturnedSegments {
 public:
  explicit ReturnedSegments(MemorySource& source) : source_(source) {}
  ~ReturnedSegments();
  ReturnedSegments(const ReturnedSegments&) = delete;
  ReturnedSegments& operator=(const ReturnedSegments&) = delete;

  void add(void* address, size_t bytes) { segments_.emplace_back(address, bytes); }

 private:
  MemorySource& source_;
  std::vector<std::pair<void*, size_t>> segments_;
};

/// Memory for tensors, kept and reused. Blocks are cut from large segments, best fit first, and joined again
/// with their free neighbours.
///
/// Allocation follows the order in which work is enqueued: a block released now may be handed out at once,
/// although work that uses it has not run yet, because whatever uses it next is enqueued behind. So one
/// stream, one allocator, one thread that enqueues.
class Allocator {
 public:
  struct Statistics {
    size_t in_use = 0;    // bytes of live blocks
    size_t peak = 0;      // the most `in_use` since reset_peak()
    size_t reserved = 0;  // bytes of segments
  };

  explicit Allocator(MemorySource& source) : source_(source) {}
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  /// At least `bytes`, aligned to 256. Throws kOutOfMemory.
  void* allocate(size_t bytes);
  void release(void* address);

  const Statistics& statistics() const { return statistics_; }
  void reset_peak() { statistics_.peak = statistics_.in_use; }
  /// Parts with wholly free segments. Letting go of them waits for the work that is under way; any thread
  /// may.
  std::shared_ptr<ReturnedSegments> trim();

 private:
  struct Block {
    char* segment;
    size_t bytes;
    bool free;
  };
  using Blocks = std::map<char*, Block>;

  Blocks::iterator add_segment(size_t bytes);
  Blocks::iterator best_fit(size_t bytes);
  void make_free(Blocks::iterator block);
  void take(Blocks::iterator block, size_t bytes);

  MemorySource& source_;
  Blocks blocks_;                            // by address; neighbours of one segment are neighbours here
  std::set<std::pair<size_t, char*>> free_;  // by size, then address: the same requests give the same blocks
  std::map<char*, size_t> segments_;
  Statistics statistics_;
};

/// The host's memory. It waits for the stream before memory is given back.
std::unique_ptr<MemorySource> host_memory(class Stream& stream);

}  // namespace glm
