// Ops that have no CUDA kernel yet: they fail with their name.

#include "kernels.h"

namespace glm::cuda {
namespace {

[[noreturn]] void unsupported(const char* op) {
  fail(Code::kCudaUnavailable, "expected an op that this version supports on CUDA, found ", op,
       "; use the CPU");
}

}  // namespace

void CudaKernels::run(const GatherRows&) { unsupported("GatherRows"); }
void CudaKernels::run(const ScatterRows&) { unsupported("ScatterRows"); }
void CudaKernels::run(const RandomNormal&) { unsupported("RandomNormal"); }
void CudaKernels::run(const EmbeddingForward&) { unsupported("EmbeddingForward"); }
void CudaKernels::run(const EmbeddingBackward&) { unsupported("EmbeddingBackward"); }
void CudaKernels::run(const LayerNormForward&) { unsupported("LayerNormForward"); }
void CudaKernels::run(const LayerNormBackward&) { unsupported("LayerNormBackward"); }
void CudaKernels::run(const LinearForward&) { unsupported("LinearForward"); }
void CudaKernels::run(const LinearBackward&) { unsupported("LinearBackward"); }
void CudaKernels::run(const AttentionForward&) { unsupported("AttentionForward"); }
void CudaKernels::run(const AttentionBackward&) { unsupported("AttentionBackward"); }
void CudaKernels::run(const CrossEntropy&) { unsupported("CrossEntropy"); }
void CudaKernels::run(const PlanSpans&) { unsupported("PlanSpans"); }
void CudaKernels::run(const LayOutSpans&) { unsupported("LayOutSpans"); }
void CudaKernels::run(const CopyBlocks&) { unsupported("CopyBlocks"); }
void CudaKernels::run(const StoreKeyValues&) { unsupported("StoreKeyValues"); }
void CudaKernels::run(const AttentionCached&) { unsupported("AttentionCached"); }
void CudaKernels::run(const ChooseTokens&) { unsupported("ChooseTokens"); }
void CudaKernels::run(const SquaredNorm&) { unsupported("SquaredNorm"); }
void CudaKernels::run(const AdamW&) { unsupported("AdamW"); }

size_t CudaKernels::workspace_bytes(const EmbeddingBackward&) const { return 0; }
size_t CudaKernels::workspace_bytes(const LayerNormBackward&) const { return 0; }
size_t CudaKernels::workspace_bytes(const LinearForward&) const { return 0; }
size_t CudaKernels::workspace_bytes(const LinearBackward&) const { return 0; }
size_t CudaKernels::workspace_bytes(const AttentionForward&) const { return 0; }
size_t CudaKernels::workspace_bytes(const AttentionBackward&) const { return 0; }
size_t CudaKernels::workspace_bytes(const CrossEntropy&) const { return 0; }
size_t CudaKernels::workspace_bytes(const PlanSpans&) const { return 0; }
size_t CudaKernels::workspace_bytes(const AttentionCached&) const { return 0; }
size_t CudaKernels::workspace_bytes(const ChooseTokens&) const { return 0; }
size_t CudaKernels::workspace_bytes(const SquaredNorm&) const { return 0; }

}  // namespace glm::cuda
