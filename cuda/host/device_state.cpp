#include "host/device_state.h"

#include <cuda_runtime.h>

#include <map>
#include <memory>
#include <mutex>

namespace glm::cuda {

DeviceState& DeviceState::of(int device) {
  static std::mutex mutex;
  static auto* states =
      new std::map<int, std::unique_ptr<DeviceState>>();  // never destroyed: threads may be in one
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<DeviceState>& state = (*states)[device];
  if (!state) state.reset(new DeviceState(device));
  return *state;
}

uint64_t DeviceState::open() {
  std::unique_lock<std::shared_mutex> lock(mutex_);
  if (!fault_.empty()) {
    cudaSetDevice(device_);
    cudaDeviceReset();
    cudaGetLastError();
    fault_.clear();
    life_++;
  }
  return life_;
}

DeviceState::Hold::Hold(DeviceState& state, uint64_t life) : lock_(state.mutex_) {
  std::lock_guard<std::mutex> fault(state.fault_mutex_);
  if (state.life_ != life || !state.fault_.empty()) {
    error_ = state.fault_error();
  } else {
    cudaSetDevice(state.device_);
  }
}

void DeviceState::note_failure(const std::string& reason) {
  {
    std::lock_guard<std::mutex> lock(capture_mutex_);
    if (cudaDeviceSynchronize() == cudaSuccess) return;
  }
  std::lock_guard<std::mutex> lock(fault_mutex_);
  if (fault_.empty()) fault_ = reason;
}

Error DeviceState::fault_error() const {
  return Error(
      Code::kCuda,
      text("expected cuda:", device_, " to be usable, found that a fault has ended what was on it",
           fault_.empty() ? "" : ": ", fault_, "; create or load the models on it again, or use the CPU"));
}

}  // namespace glm::cuda
