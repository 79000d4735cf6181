#include "runtime/thread_pool.h"

#include <system_error>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace glm {
namespace {

constexpr int kSpins = 4000;  // some tens of microseconds: shorter than a sleep and a wake-up

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

// The ticket word: generation (32 bits) | next part (16 bits) | number of parts (16 bits). A thread takes a
// part by adding one to the middle field with a compare-and-swap, so a late thread can never take a part of a
// newer region with an older task.
struct ThreadPool::Ticket {
  static uint64_t open(uint32_t generation, int parts) {
    return static_cast<uint64_t>(generation) << 32 | static_cast<uint64_t>(parts);
  }
  static uint32_t generation(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
  static int next(uint64_t word) { return static_cast<int>(word >> 16 & 0xffff); }
  static int parts(uint64_t word) { return static_cast<int>(word & 0xffff); }
  static constexpr uint64_t kOnePart = uint64_t{1} << 16;
};

ThreadPool& ThreadPool::shared() {
  static ThreadPool* pool = new ThreadPool();  // never destroyed, see the class comment
  return *pool;
}

void ThreadPool::grow(int threads) {
  try {
    for (; helpers_ < threads - 1; helpers_++) {
      std::thread([this, index = helpers_] { helper(index); }).detach();
    }
  } catch (const std::system_error&) {
    // The system gives no more threads: those there are, at least the caller, take all parts.
  }
}

void ThreadPool::run(int threads, int parts, Task task, const void* context) {
  if (threads <= 1 || parts <= 1) {
    for (int part = 0; part < parts; part++) task(context, part);
    return;
  }
  std::lock_guard<std::mutex> region(region_);
  grow(threads);
  task_.store(task, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  allowed_.store(threads - 1, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  uint32_t generation = ++generation_;
  {
    std::lock_guard<std::mutex> lock(sleep_);
    ticket_.store(Ticket::open(generation, parts), std::memory_order_seq_cst);
  }
  if (sleepers_.load() > 0) wake_.notify_all();
  take_parts(generation);
  for (int spins = 0; done_.load(std::memory_order_acquire) != parts;) {
    if (++spins < kSpins) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::take_parts(uint32_t generation) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (Ticket::generation(ticket) == generation && Ticket::next(ticket) < Ticket::parts(ticket)) {
    if (!ticket_.compare_exchange_weak(ticket, ticket + Ticket::kOnePart, std::memory_order_acq_rel))
      continue;
    task_.load(std::memory_order_relaxed)(context_.load(std::memory_order_relaxed), Ticket::next(ticket));
    done_.fetch_add(1, std::memory_order_acq_rel);
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void ThreadPool::helper(int index) {
  uint32_t seen = 0;
  auto fresh = [&] { return Ticket::generation(ticket_.load(std::memory_order_acquire)) != seen; };
  for (;;) {
    for (int spins = 0; !fresh() && spins < kSpins; spins++) pause();
    if (!fresh()) {
      std::unique_lock<std::mutex> lock(sleep_);
      sleepers_++;
      wake_.wait(lock, fresh);
      sleepers_--;
    }
    seen = Ticket::generation(ticket_.load(std::memory_order_acquire));
    if (index < allowed_.load(std::memory_order_relaxed)) take_parts(seen);
  }
}

}  // namespace glm
