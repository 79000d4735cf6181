#include "runtime/stream.h"

#include <memory>
#include <new>
#include <utility>

namespace glm {

Stream::Stream() : thread_([this] { run(); }) {}

Stream::~Stream() { stop(); }

void Stream::enqueue(Job job) { push({std::move(job), nullptr}); }

void Stream::checkpoint(std::function<void(const Error*)> done) { push({nullptr, std::move(done)}); }

void Stream::push(Entry entry) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(entry));
  }
  wake_.notify_one();
}

void Stream::wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return (queue_.empty() && !busy_) || stopping_; });
}

void Stream::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Stream::run() {
  std::vector<Entry> batch;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    batch.swap(queue_);
    busy_ = true;
    for (Entry& entry : batch) {
      if (stopping_) break;
      lock.unlock();
      execute(entry);
      entry = {};  // what the job kept ends without the lock
      lock.lock();
    }
    batch.clear();
    busy_ = false;
    if (stopping_) break;
    if (queue_.empty()) idle_.notify_all();
  }
  queue_.clear();
  idle_.notify_all();
}

void Stream::execute(Entry& entry) {
  if (entry.done) {
    entry.done(error_.get());
    error_.reset();
    return;
  }
  if (error_) return;
  try {
    entry.job();
  } catch (const Error& error) {
    error_ = std::make_unique<Error>(error);
  } catch (const std::bad_alloc&) {
    error_ = std::make_unique<Error>(Code::kOutOfMemory,
                                     "expected free memory for a kernel's workspace, found none");
  } catch (const std::exception& error) {
    error_ = std::make_unique<Error>(Code::kNumeric, error.what());
  }
}

}  // namespace glm
