#include "backend/cuda_library.h"
#include "host/backend.h"

namespace glm::cuda {
namespace {

constexpr int kOldestMajor = 8;  // Ampere: bfloat16 in the tensor cores, cp.async

std::string version(int number) { return text(number / 1000, ".", number % 1000 / 10); }

std::string reason_for(cudaError_t status, const CudaSystem& system) {
  std::string needed = text("CUDA ", version(system.runtime_version), " needs a driver for CUDA ",
                            system.runtime_version / 1000, ".0 or later (580 or later on Linux)");
  if (system.driver_version == 0) return text("no NVIDIA driver was found; ", needed);
  if (status == cudaErrorInsufficientDriver)
    return text("the driver is too old: it is for CUDA ", version(system.driver_version), "; ", needed);
  if (status == cudaErrorNoDevice)
    return "the driver finds no GPU; look at nvidia-smi and at CUDA_VISIBLE_DEVICES";
  return text("the driver answers: ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

CudaDevice describe(int index) {
  CudaDevice device;
  cudaDeviceProp properties{};
  if (cudaError_t status = cudaGetDeviceProperties(&properties, index); status != cudaSuccess) {
    cudaGetLastError();
    device.reason = text("its properties cannot be read: ", cudaGetErrorString(status));
    return device;
  }
  device.name = properties.name;
  device.memory_bytes = properties.totalGlobalMem;
  device.major = properties.major;
  device.minor = properties.minor;
  if (properties.major < kOldestMajor) {
    device.reason = text("its compute capability is ", properties.major, ".", properties.minor, "; ",
                         kOldestMajor, ".0 (Ampere) or later is needed");
  }
  return device;
}

CudaSystem inspect() {
  CudaSystem system;
  cudaRuntimeGetVersion(&system.runtime_version);
  cudaDriverGetVersion(&system.driver_version);
  int count = 0;
  if (cudaError_t status = cudaGetDeviceCount(&count); status != cudaSuccess || count == 0) {
    cudaGetLastError();
    system.reason = reason_for(status == cudaSuccess ? cudaErrorNoDevice : status, system);
    return system;
  }
  for (int i = 0; i < count; i++) system.devices.push_back(describe(i));
  return system;
}

std::unique_ptr<Backend> make_backend(int device, std::function<void()> wait, std::optional<Error>& error) {
  try {
    uint64_t life = DeviceState::of(device).open();
    DeviceState::Hold hold(DeviceState::of(device), life);
    return std::make_unique<CudaBackend>(device, life, std::move(wait));
  } catch (const Error& failure) {
    error = Error(Code::kCudaUnavailable,
                  text("expected cuda:", device, " to be usable, found that ", failure.what()));
  } catch (const std::exception& failure) {
    error = Error(Code::kOutOfMemory, failure.what());
  }
  return nullptr;
}

constexpr CudaLibrary kLibrary{CudaLibrary::kInterface, inspect, make_backend};

}  // namespace
}  // namespace glm::cuda

extern "C" __attribute__((visibility("default"))) const glm::CudaLibrary* glm_cuda_library() {
  return &glm::cuda::kLibrary;
}
