#pragma once

#include <cstddef>

#include "backend/params.h"

namespace glm {

/// The kernels of one device, one per parameter struct. The file with the op's name in cpp/cpu or cuda
/// defines them. Called on the stream's thread, one at a time; a device with a queue of its own may return
/// before the work is done.
class Kernels {
 public:
  virtual ~Kernels();

  virtual void run(const Zero&) = 0;
  virtual void run(const Add&) = 0;
  virtual void run(const Cast&) = 0;
  virtual void run(const GatherRows&) = 0;
  virtual void run(const ScatterRows&) = 0;
  virtual void run(const RandomNormal&) = 0;
  virtual void run(const EmbeddingForward&) = 0;
  virtual void run(const EmbeddingBackward&) = 0;
  virtual void run(const LstmForward&) = 0;
  virtual void run(const LstmBackward&) = 0;
  virtual void run(const LayerNormForward&) = 0;
  virtual void run(const LayerNormBackward&) = 0;
  virtual void run(const LinearForward&) = 0;
  virtual void run(const LinearBackward&) = 0;
  virtual void run(const AttentionForward&) = 0;
  virtual void run(const AttentionBackward&) = 0;
  virtual void run(const CrossEntropy&) = 0;
  virtual void run(const PlanSpans&) = 0;
  virtual void run(const LayOutSpans&) = 0;
  virtual void run(const CopyBlocks&) = 0;
  virtual void run(const StoreKeyValues&) = 0;
  virtual void run(const AttentionCached&) = 0;
  virtual void run(const ChooseTokens&) = 0;
  virtual void run(const SquaredNorm&) = 0;
  virtual void run(const AdamW&) = 0;

  /// Bytes of scratch that run(params) needs in params.workspace. A pure function of sizes, callable on any
  /// thread.
  virtual size_t workspace_bytes(const EmbeddingBackward&) const { return 0; }
  virtual size_t workspace_bytes(const LstmBackward&) const { return 0; }
  virtual size_t workspace_bytes(const LayerNormBackward&) const { return 0; }
  virtual size_t workspace_bytes(const LinearForward&) const { return 0; }
  virtual size_t workspace_bytes(const LinearBackward&) const { return 0; }
  virtual size_t workspace_bytes(const AttentionForward&) const { return 0; }
  virtual size_t workspace_bytes(const AttentionBackward&) const { return 0; }
  virtual size_t workspace_bytes(const CrossEntropy&) const { return 0; }
  virtual size_t workspace_bytes(const PlanSpans&) const { return 0; }
  virtual size_t workspace_bytes(const AttentionCached&) const { return 0; }
  virtual size_t workspace_bytes(const ChooseTokens&) const { return 0; }
  virtual size_t workspace_bytes(const SquaredNorm&) const { return 0; }
};

}  // namespace glm
