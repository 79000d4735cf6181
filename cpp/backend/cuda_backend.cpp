#include "backend/backend.h"
#include "backend/cuda_library.h"
#include "runtime/settings.h"
#include "runtime/shared_library.h"

namespace glm {
namespace {

struct OpenedLibrary {
  const CudaLibrary* library = nullptr;
  std::string reason;  // why there is none
};

OpenedLibrary open() {
  OpenedLibrary opened;
  const std::string& wanted = settings().cuda_library;
  std::string path = wanted.empty() ? own_folder() + "libglm_cuda.so" : wanted, error;
  void* handle = open_library(path, error);
  if (handle == nullptr) {
    opened.reason =
        text("the CUDA library could not be opened (", error,
             "); it is part of the prebuilt package for x64 Linux, and is built where nvcc is found");
    return opened;
  }
  using Entry = const CudaLibrary* (*)();
  auto entry = reinterpret_cast<Entry>(symbol_of(handle, "glm_cuda_library"));
  const CudaLibrary* library = entry == nullptr ? nullptr : entry();
  if (library == nullptr || library->interface != CudaLibrary::kInterface) {
    opened.reason = text(path, " belongs to another version of this package; build both again");
    return opened;
  }
  opened.library = library;
  return opened;
}

const OpenedLibrary& opened_library() {
  static const OpenedLibrary opened = open();
  return opened;
}

}  // namespace

CudaSystem inspect_cuda() {
  const OpenedLibrary& opened = opened_library();
  if (opened.library != nullptr) return opened.library->inspect();
  CudaSystem system;
  system.reason = opened.reason;
  return system;
}

std::unique_ptr<Backend> make_cuda_backend(Stream& stream, int device) {
  CudaSystem system = inspect_cuda();
  require(system.reason.empty(), Code::kCudaUnavailable, "expected a GPU for the device cuda:", device,
          ", found none: ", system.reason);
  int devices = static_cast<int>(system.devices.size());
  require(device >= 0 && device < devices, Code::kCudaUnavailable,
          "expected a device from cuda:0 to cuda:", devices - 1, ", found cuda:", device);
  const std::string& reason = system.devices[static_cast<size_t>(device)].reason;
  require(reason.empty(), Code::kCudaUnavailable, "expected cuda:", device, " to be usable, found that ",
          reason);
  std::optional<Error> error;
  std::unique_ptr<Backend> backend = opened_library().library->make_backend(
      device, [&stream] { stream.wait(); }, error);
  if (error) throw Error(*error);
  return backend;
}

}  // namespace glm
