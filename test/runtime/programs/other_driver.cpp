// Put before the simulated CUDA runtime with LD_PRELOAD: another driver, or a second GPU that shares the first
// one's memory and refuses what a real one would. DRIVER_VERSION=0: none; below 13000: too old. GPUS: how many.
// FAULT=1: a kernel of more than 1000 blocks finds its first argument, a pointer, to lead nowhere.

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <mutex>

namespace {

thread_local int current_device = 0;
std::mutex mutex;
std::map<cudaStream_t, int> device_of;

int number(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoi(value);
}

template <class Function>
Function* real(const char* name, Function*) {
  return reinterpret_cast<Function*>(dlsym(dlopen("libcudart.so.13", RTLD_NOLOAD | RTLD_LAZY), name));
}

/// A stream takes work from threads alone that have its device.
bool is_elsewhere(cudaStream_t stream) {
  std::lock_guard<std::mutex> lock(mutex);
  return device_of.at(stream) != current_device;
}

}  // namespace

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
  *version = number("DRIVER_VERSION", 13000);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = number("GPUS", 1);
  if (number("DRIVER_VERSION", 13000) < 13000) return cudaErrorInsufficientDriver;
  return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  return real("cudaGetDeviceProperties", cudaGetDeviceProperties)(properties, 0);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  cudaError_t status = real("cudaStreamCreateWithFlags", cudaStreamCreateWithFlags)(stream, flags);
  std::lock_guard<std::mutex> lock(mutex);
  if (status == cudaSuccess) device_of[*stream] = current_device;
  return status;
}

cudaError_t cudaLaunchKernel(const void* kernel, dim3 grid, dim3 block, void** arguments, size_t shared_bytes,
                             cudaStream_t stream) {
  if (is_elsewhere(stream)) return cudaErrorInvalidResourceHandle;
  void* nowhere = reinterpret_cast<void*>(16);
  if (number("FAULT", 0) != 0 && grid.x > 1000) arguments[0] = &nowhere;
  return real("cudaLaunchKernel", static_cast<decltype(&cudaLaunchKernel)>(nullptr))(
      kernel, grid, block, arguments, shared_bytes, stream);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (is_elsewhere(stream)) return cudaErrorInvalidResourceHandle;
  return real("cudaMemcpyAsync", cudaMemcpyAsync)(to, from, bytes, kind, stream);
}
}
