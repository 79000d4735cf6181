#include "runtime/allocator.h"

#include <iterator>

#include "base/error.h"

namespace glm {
namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kSmallRequest = size_t{1} << 20;
constexpr size_t kSmallSegment = size_t{8} << 20;
constexpr size_t kLargeSegment = size_t{64} << 20;
constexpr size_t kLargeRounding = size_t{2} << 20;  // a huge page

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

size_t segment_bytes(size_t request) {
  if (request <= kSmallRequest) return kSmallSegment;
  return request < kLargeSegment ? kLargeSegment : round_up(request, kLargeRounding);
}

}  // namespace

ReturnedSegments::~ReturnedSegments() {
  if (segments_.empty()) return;
  source_.wait_until_idle();
  for (auto [address, bytes] : segments_) source_.release(address, bytes);
}

Allocator::~Allocator() {
  source_.wait_until_idle();
  for (auto [address, bytes] : segments_) source_.release(address, bytes);
}

void* Allocator::allocate(size_t bytes) {
  size_t wanted = round_up(bytes == 0 ? 1 : bytes, kAlignment);
  Blocks::iterator block = best_fit(wanted);
  if (block == blocks_.end()) block = add_segment(wanted);
  take(block, wanted);
  statistics_.in_use += block->second.bytes;
  if (statistics_.in_use > statistics_.peak) statistics_.peak = statistics_.in_use;
  return block->first;
}

void Allocator::release(void* address) {
  Blocks::iterator block = blocks_.find(static_cast<char*>(address));
  statistics_.in_use -= block->second.bytes;
  make_free(block);
}

Allocator::Blocks::iterator Allocator::best_fit(size_t bytes) {
  // Small requests stay out of large segments, so that they don't cut them into pieces.
  bool small = bytes <= kSmallRequest;
  for (auto candidate = free_.lower_bound({bytes, nullptr}); candidate != free_.end(); ++candidate) {
    Blocks::iterator block = blocks_.find(candidate->second);
    if (small == (segments_.at(block->second.segment) == kSmallSegment)) return block;
  }
  return blocks_.end();
}

Allocator::Blocks::iterator Allocator::add_segment(size_t request) {
  size_t bytes = segment_bytes(request);
  void* address = source_.allocate(bytes);
  if (address == nullptr) {
    trim();
    address = source_.allocate(bytes);
  }
  if (address == nullptr) {
    if (std::optional<Error> fault = source_.fault()) throw Error(*fault);
    fail(Code::kOutOfMemory, "expected ", bytes, " free bytes of ", source_.describe(), " for a tensor of ",
         request, " bytes, with ", statistics_.in_use,
         " bytes of tensors in use; make the batch smaller, accumulate ",
         "gradients over more batches, or recompute activations");
  }
  char* segment = static_cast<char*>(address);
  segments_.emplace(segment, bytes);
  statistics_.reserved += bytes;
  free_.emplace(bytes, segment);
  return blocks_.emplace(segment, Block{segment, bytes, true}).first;
}

void Allocator::take(Blocks::iterator block, size_t bytes) {
  free_.erase({block->second.bytes, block->first});
  block->second.free = false;
  if (size_t rest = block->second.bytes - bytes; rest > 0) {
    block->second.bytes = bytes;
    char* address = block->first + bytes;
    blocks_.emplace(address, Block{block->second.segment, rest, true});
    free_.emplace(rest, address);
  }
}

void Allocator::make_free(Blocks::iterator block) {
  auto join = [this](Blocks::iterator first, Blocks::iterator second) {
    if (!first->second.free || !second->second.free || first->second.segment != second->second.segment)
      return first;
    free_.erase({first->second.bytes, first->first});
    free_.erase({second->second.bytes, second->first});
    first->second.bytes += second->second.bytes;
    free_.emplace(first->second.bytes, first->first);
    blocks_.erase(second);
    return first;
  };
  block->second.free = true;
  free_.emplace(block->second.bytes, block->first);
  if (auto next = std::next(block); next != blocks_.end()) join(block, next);
  if (block != blocks_.begin()) join(std::prev(block), block);
}

std::shared_ptr<ReturnedSegments> Allocator::trim() {
  auto returned = std::make_shared<ReturnedSegments>(source_);
  for (auto segment = segments_.begin(); segment != segments_.end();) {
    auto [address, bytes] = *segment;
    Blocks::iterator block = blocks_.find(address);
    if (!block->second.free || block->second.bytes != bytes) {
      ++segment;
      continue;
    }
    free_.erase({bytes, address});
    blocks_.erase(block);
    returned->add(address, bytes);
    statistics_.reserved -= bytes;
    segment = segments_.erase(segment);
  }
  return returned;
}

}  // namespace glm
