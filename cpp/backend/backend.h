#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/kernels.h"
#include "base/error.h"
#include "runtime/allocator.h"
#include "runtime/stream.h"

namespace glm {

/// Bytes on their way from a device.
class Download {
 public:
  virtual ~Download();
  /// Waits until they have arrived, and puts them where they were asked for. May be called on any thread.
  virtual std::optional<Error> finish() = 0;
};

/// Kernels with their arguments, to be run as often as wanted.
class Program {
 public:
  virtual ~Program();
  /// On the stream's thread, in Backend::perform.
  virtual void run() = 0;
};

/// One device: its kernels, where its memory comes from, and how bytes get there and back.
///
/// A backend may lie in a library of its own with a C++ runtime of its own, so nothing that it throws may
/// leave it: kernels and transfers are called in `perform` only, which brings an error over.
class Backend {
 public:
  virtual ~Backend();

  /// Runs `work` on the stream's thread, for which it calls kernels and transfers. Throws what they threw.
  void perform(const std::function<void()>& work) {
    if (std::optional<Error> error = attempt(work)) throw Error(*error);
  }

  virtual Kernels& kernels() = 0;
  virtual MemorySource& memory() = 0;

  /// Whether its kernels use the host's memory: then a file may be used where it is mapped.
  virtual bool uses_host_memory() const { return false; }
  /// `kernels` calls kernels that take nothing from the host but their arguments; it must outlive the
  /// program.
  virtual std::unique_ptr<Program> compile(std::function<void()> kernels);
  /// The host's bytes have been taken when it returns.
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  /// Null when the bytes are there already.
  virtual std::unique_ptr<Download> download(void* host, const void* device, size_t bytes) = 0;
  /// Returns when all work that was started on the device is done. Throws what it failed with.
  virtual void synchronize() = 0;

  virtual std::string name() const = 0;             // "cpu", "cuda:0"
  virtual std::string instruction_set() const = 0;  // "avx512bf16", "sm_90"
  virtual int threads() const = 0;                  // compute threads on the host

 private:
  /// Makes the device the thread's, runs `work`, and gives back what it threw.
  virtual std::optional<Error> attempt(const std::function<void()>& work) = 0;
};

/// The CPU backend. `threads` 0: GLM_THREADS, else all processors. `instruction_set` empty:
/// GLM_INSTRUCTION_SET, else the best this processor has. Throws kInvalidArgument for one that it lacks.
std::unique_ptr<Backend> make_cpu_backend(Stream& stream, int threads, const std::string& instruction_set);

struct CudaDevice {
  std::string name;    // "NVIDIA H100"
  std::string reason;  // why it cannot be used, or empty
  size_t memory_bytes = 0;
  int major = 0, minor = 0;  // compute capability
};

/// What there is of CUDA here. Versions are as the CUDA runtime gives them, 13000 for 13.0; 0: none.
struct CudaSystem {
  std::string reason;  // why no device can be used, or empty
  int driver_version = 0;
  int runtime_version = 0;
  std::vector<CudaDevice> devices;
};

/// Asked anew each time.
CudaSystem inspect_cuda();

/// A GPU's backend, from libglm_cuda.so. Throws kCudaUnavailable with the reason.
std::unique_ptr<Backend> make_cuda_backend(Stream& stream, int device);

}  // namespace glm
