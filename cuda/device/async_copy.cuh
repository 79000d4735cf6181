#pragma once

// Copies from global to shared memory that run while the threads go on (cp.async).

#include <cstdint>

namespace glm::cuda {

/// The address of shared memory as instructions want it.
__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/// Begins to copy 16 bytes, or to write 16 zeros where `exists` is false and nothing is read. Both addresses
/// are multiples of 16.
__device__ __forceinline__ void copy_async(uint32_t shared, const void* global, bool exists) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
               "r"(exists ? 16 : 0)
               : "memory");
}

/// Ends a group of this thread's copies.
__device__ __forceinline__ void end_copy_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until all but the last `kRunning` groups of this thread have arrived. What other threads copied is
/// there after a barrier.
template <int kRunning>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kRunning) : "memory");
}

}  // namespace glm::cuda
