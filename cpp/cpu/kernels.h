#pragma once

// The CPU kernels. Every .cpp file of this folder is compiled once per instruction set, with GLM_ISA naming
// it (generic, avx2, avx512, avx512bf16), and everything lives in namespace glm::GLM_ISA; dispatch/ picks one
// at run time. So no file here may define a function outside that namespace, nor use a template of the
// standard library that the compiler would not inline: the linker would keep one copy of it, built for a
// processor that may not be this one.

#include "backend/kernels.h"
#include "runtime/thread_pool.h"

namespace glm::GLM_ISA {

class CpuKernels final : public Kernels {
 public:
  explicit CpuKernels(int threads) : parallel_(threads) {}

  void run(const Zero&) override;
  void run(const Add&) override;
  void run(const Cast&) override;
  void run(const GatherRows&) override;
  void run(const ScatterRows&) override;
  void run(const RandomNormal&) override;
  void run(const EmbeddingForward&) override;
  void run(const EmbeddingBackward&) override;
  void run(const LstmForward&) override;
  void run(const LstmBackward&) override;
  void run(const LayerNormForward&) override;
  void run(const LayerNormBackward&) override;
  void run(const LinearForward&) override;
  void run(const LinearBackward&) override;
  void run(const AttentionForward&) override;
  void run(const AttentionBackward&) override;
  void run(const CrossEntropy&) override;
  void run(const PlanSpans&) override;
  void run(const LayOutSpans&) override;
  void run(const CopyBlocks&) override;
  void run(const StoreKeyValues&) override;
  void run(const AttentionCached&) override;
  void run(const ChooseTokens&) override;
  void run(const SquaredNorm&) override;
  void run(const AdamW&) override;

  size_t workspace_bytes(const EmbeddingBackward&) const override;
  size_t workspace_bytes(const LstmBackward&) const override;
  size_t workspace_bytes(const LayerNormBackward&) const override;
  size_t workspace_bytes(const LinearForward&) const override;
  size_t workspace_bytes(const LinearBackward&) const override;
  size_t workspace_bytes(const AttentionForward&) const override;
  size_t workspace_bytes(const AttentionBackward&) const override;
  size_t workspace_bytes(const CrossEntropy&) const override;
  size_t workspace_bytes(const PlanSpans&) const override;
  size_t workspace_bytes(const AttentionCached&) const override;
  size_t workspace_bytes(const ChooseTokens&) const override;
  size_t workspace_bytes(const SquaredNorm&) const override;

 private:
  Parallel parallel_;
};

}  // namespace glm::GLM_ISA
