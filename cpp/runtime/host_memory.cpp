#include <cstdlib>
#include <new>

#include "runtime/allocator.h"
#include "runtime/stream.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace glm {
namespace {

constexpr std::align_val_t kPage{size_t{2} << 20};

class HostMemory final : public MemorySource {
 public:
  explicit HostMemory(Stream& stream) : stream_(stream) {}

  void* allocate(size_t bytes) override {
    void* address = ::operator new(bytes, kPage, std::nothrow);
#if defined(__linux__)
    // Fewer, larger pages: a matrix product walks many rows at once. Only advice, so a refusal changes
    // nothing.
    if (address != nullptr) madvise(address, bytes, MADV_HUGEPAGE);
#endif
    return address;
  }

  void release(void* address, size_t) override { ::operator delete(address, kPage); }

  std::string describe() const override { return "the host's memory"; }

  void wait_until_idle() override { stream_.wait(); }

 private:
  Stream& stream_;
};

}  // namespace

std::unique_ptr<MemorySource> host_memory(Stream& stream) { return std::make_unique<HostMemory>(stream); }

}  // namespace glm
