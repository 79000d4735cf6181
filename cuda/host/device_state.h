#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>

#include "base/error.h"

namespace glm::cuda {

/// A GPU as this process has it. A fault in a kernel ends the device's context: all its memory is lost and
/// every call fails, for the whole process, until the device is reset. It is reset when somebody opens it
/// anew; each reset begins a life, and what belongs to an earlier life must not touch the device any more.
class DeviceState {
 public:
  static DeviceState& of(int device);

  /// Begins a new life if the last one ended with a fault. Returns the number of the life.
  uint64_t open();

  /// Holds the device in the life that somebody belongs to. Usable unless `error()`.
  class Hold {
   public:
    Hold(DeviceState& state, uint64_t life);
    const std::optional<Error>& error() const { return error_; }

   private:
    std::shared_lock<std::shared_mutex> lock_;
    std::optional<Error> error_;
  };

  /// Held while kernels are captured, and by who waits for the device or for another thread's stream: either
  /// would make the other fail.
  std::mutex& capture_mutex() { return capture_mutex_; }

  /// Asks the device, after a call has failed, whether its context has ended; `reason` is the call's message.
  void note_failure(const std::string& reason);

 private:
  explicit DeviceState(int device) : device_(device) {}
  Error fault_error() const;

  int device_;
  std::shared_mutex mutex_;  // taken for itself by a reset alone
  std::mutex fault_mutex_, capture_mutex_;
  uint64_t life_ = 0;
  std::string fault_;  // why the life has ended, or empty
};

}  // namespace glm::cuda
