#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace glm {

/// Fork-join threads shared by the whole process. The calling thread works too, and never waits for a helper
/// that took no part, so a helper without a processor costs nothing. Helpers spin for some microseconds
/// between regions, then sleep. The pool lives until the process ends: no destructor runs while a thread may
/// still be in it.
class ThreadPool {
 public:
  using Task = void (*)(const void* context, int part);

  static ThreadPool& shared();

  /// Calls task(context, part) once for each part in [0, parts), on at most `threads` threads, and returns
  /// when all are done. Which thread takes which part is not defined; parts are handed out in order. `task`
  /// must not throw.
  void run(int threads, int parts, Task task, const void* context);

  template <class Function>
  void run(int threads, int parts, const Function& function) {
    run(
        threads, parts, [](const void* f, int part) { (*static_cast<const Function*>(f))(part); }, &function);
  }

 private:
  struct Ticket;  // generation, next part and number of parts in one 64-bit word

  ThreadPool() = default;
  void grow(int threads);
  void helper(int index);
  void take_parts(uint32_t generation);

  std::mutex region_;  // one region at a time
  std::mutex sleep_;
  std::condition_variable wake_;
  int helpers_ = 0;
  uint32_t generation_ = 0;
  std::atomic<int> allowed_{0};  // helpers with an index below take part in the current region
  std::atomic<Task> task_{nullptr};
  std::atomic<const void*> context_{nullptr};
  std::atomic<int> sleepers_{0};
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<int> done_{0};
};

/// How many threads a kernel may use, and the loops it uses them with.
class Parallel {
 public:
  explicit Parallel(int threads) : threads_(threads) {}
  int threads() const { return threads_; }

  /// function(part) for each part, in any order.
  template <class Function>
  void parts(int64_t count, const Function& function) const {
    constexpr int64_t kMostParts = 65535;
    for (int64_t first = 0; first < count; first += kMostParts) {
      int64_t many = count - first < kMostParts ? count - first : kMostParts;
      ThreadPool::shared().run(threads_, static_cast<int>(many), [&](int part) { function(first + part); });
    }
  }

  /// function(begin, end) over [0, count) in pieces of `grain`; the pieces do not depend on the number of
  /// threads.
  template <class Function>
  void ranges(int64_t count, int64_t grain, const Function& function) const {
    parts((count + grain - 1) / grain, [&](int64_t part) {
      int64_t begin = part * grain, end = begin + grain < count ? begin + grain : count;
      function(begin, end);
    });
  }

 private:
  int threads_;
};

}  // namespace glm
