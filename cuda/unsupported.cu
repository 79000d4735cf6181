// Ops that have no CUDA kernel yet: they fail with their name.

#include "kernels.h"

namespace glm::cuda {
namespace {

[[noreturn]] void unsupported(const char* op) {
  fail(Code::kCudaUnavailable, "expected an op that this version supports on CUDA, found ", op,
       "; use the CPU");
}

}  // namespace

void CudaKernels::run(const AttentionForward&) { unsupported("AttentionForward"); }
void CudaKernels::run(const AttentionBackward&) { unsupported("AttentionBackward"); }
void CudaKernels::run(const CopyBlocks&) { unsupported("CopyBlocks"); }
void CudaKernels::run(const StoreKeyValues&) { unsupported("StoreKeyValues"); }
void CudaKernels::run(const AttentionCached&) { unsupported("AttentionCached"); }
void CudaKernels::run(const ChooseTokens&) { unsupported("ChooseTokens"); }

size_t CudaKernels::workspace_bytes(const AttentionForward&) const { return 0; }
size_t CudaKernels::workspace_bytes(const AttentionBackward&) const { return 0; }
size_t CudaKernels::workspace_bytes(const AttentionCached&) const { return 0; }
size_t CudaKernels::workspace_bytes(const ChooseTokens&) const { return 0; }

}  // namespace glm::cuda
