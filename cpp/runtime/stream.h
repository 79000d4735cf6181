#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"

namespace glm {

/// Work in order, on a thread of its own: the JavaScript thread enqueues and goes on. There is one stream per
/// Node environment; what is enqueued first has finished before the next begins.
class Stream {
 public:
  using Job = std::function<void()>;

  Stream();
  /// Waits for the job that is running, drops the ones that have not begun, and joins the thread.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Runs `job` after everything enqueued before. When a job throws, the jobs behind it are passed over until
  /// the next checkpoint, which gets the error.
  void enqueue(Job job);

  /// Runs `done(error)` after everything enqueued before; `error` is what a job since the last checkpoint
  /// threw, else null. `done` must not throw.
  void checkpoint(std::function<void(const Error* error)> done);

  /// Blocks the calling thread until the queue is empty. For teardown and for giving memory back.
  void wait();

  /// Drops what has not begun and joins the thread; later jobs are dropped. Safe to call twice.
  void stop();

 private:
  struct Entry {
    Job job;
    std::function<void(const Error*)> done;
  };
  void push(Entry entry);
  void run();
  void execute(Entry& entry);

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::vector<Entry> queue_;
  bool busy_ = false, stopping_ = false;
  std::unique_ptr<Error> error_;  // of the worker thread alone
  std::thread thread_;
};

}  // namespace glm
