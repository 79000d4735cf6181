#include "host/backend.h"

#include <exception>

#include "host/graph.h"
#include "host/status.h"

namespace glm::cuda {

std::optional<Error> CudaBackend::attempt(const std::function<void()>& work) {
  DeviceState& state = DeviceState::of(queue_.device());
  DeviceState::Hold hold(state, queue_.life());
  if (hold.error()) return hold.error();
  try {
    work();
    return std::nullopt;
  } catch (const Error& error) {
    if (error.code() == Code::kCuda) state.note_failure(error.what());
    return error;
  } catch (const std::exception& error) {
    return Error(Code::kOutOfMemory, error.what());
  }
}

std::unique_ptr<Program> CudaBackend::compile(std::function<void()> kernels) {
  return std::make_unique<Graph>(queue_, kernels);
}

std::string CudaBackend::instruction_set() const {
  return text("sm_", queue_.properties().major, queue_.properties().minor);
}

void* DeviceMemory::allocate(size_t bytes) {
  DeviceState::Hold hold(DeviceState::of(queue_.device()), queue_.life());
  if (hold.error()) return nullptr;
  void* address = nullptr;
  if (cudaMalloc(&address, bytes) == cudaSuccess) return address;
  cudaGetLastError();
  return nullptr;
}

void DeviceMemory::release(void* address, size_t) {
  DeviceState::Hold hold(DeviceState::of(queue_.device()), queue_.life());
  if (hold.error()) return;  // gone already, and perhaps somebody else's
  cudaFree(address);
  cudaGetLastError();
}

std::optional<Error> DeviceMemory::fault() const {
  return DeviceState::Hold(DeviceState::of(queue_.device()), queue_.life()).error();
}

std::string DeviceMemory::describe() const {
  DeviceState::Hold hold(DeviceState::of(queue_.device()), queue_.life());
  size_t left = 0, total = 0;
  if (hold.error() || cudaMemGetInfo(&left, &total) != cudaSuccess) return text("cuda:", queue_.device());
  return text("cuda:", queue_.device(), " (", left, " of its ", total, " bytes are free)");
}

void DeviceMemory::wait_until_idle() {
  wait_();
  DeviceState::Hold hold(DeviceState::of(queue_.device()), queue_.life());
  if (hold.error()) return;
  std::lock_guard<std::mutex> lock(DeviceState::of(queue_.device()).capture_mutex());
  cudaStreamSynchronize(queue_.stream());
}

}  // namespace glm::cuda
