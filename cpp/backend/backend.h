#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/kernels.h"
#include "runtime/allocator.h"
#include "runtime/stream.h"

namespace glm {

/// One device: its kernels, where its memory comes from, and how bytes get there and back. Everything but
/// `workspace_bytes` and `memory` is called on the stream's thread.
class Backend {
 public:
  virtual ~Backend();

  virtual Kernels& kernels() = 0;
  virtual MemorySource& memory() = 0;

  /// Whether its kernels use the host's memory: then a file may be used where it is mapped.
  virtual bool uses_host_memory() const { return false; }
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* device, size_t bytes) = 0;
  /// Returns when all work that was started on the device is done. Throws what it failed with.
  virtual void synchronize() = 0;

  virtual std::string name() const = 0;             // "cpu", "cuda:0"
  virtual std::string instruction_set() const = 0;  // "avx512bf16", "sm_90"
  virtual int threads() const = 0;                  // compute threads on the host
};

/// The CPU backend. `threads` 0: GLM_THREADS, else all processors. `instruction_set` empty:
/// GLM_INSTRUCTION_SET, else the best this processor has. Throws kInvalidArgument for one that it lacks.
std::unique_ptr<Backend> make_cpu_backend(Stream& stream, int threads, const std::string& instruction_set);

}  // namespace glm
