#pragma once

#include <memory>
#include <vector>

#include "backend/params.h"
#include "tensor/tensor.h"

namespace glm {

/// The arrays of a batch as the caller has them; see `Batch` in ts/data/batch.ts.
struct HostBatch {
  std::vector<int32_t> ids, positions, block_positions;  // [N]
  std::vector<int32_t> offsets;                          // [B + 1]
  std::vector<int32_t> contexts;                         // [B]
  std::vector<int32_t> rows;                             // rows that have a loss, or whose logits are wanted
  std::vector<int32_t> targets;                          // [rows], or empty
  std::vector<float> weights;                            // [rows], of the losses' gradients, or empty
};

/// What the values of a batch must stay below.
struct BatchLimits {
  int64_t vocabulary = 0;
  int64_t prompts = 0;          // so many ids behind the vocabulary are trained prompts; none is a target
  int64_t positions = 0;        // 0: positions are not looked at
  int64_t block_positions = 0;  // 0: block positions are not looked at
};

/// A checked batch on a device.
struct PackedBatch {
  std::shared_ptr<const HostBatch> host;
  BatchLimits limits;  // that its values were checked against
  Tensor arrays;       // all of these
  Tensor ids, positions, block_positions, offsets, contexts, rows, targets, weights;
  int32_t longest = 0;
  bool has_prompts = false;  // whether an id is a trained prompt's

  int64_t tokens() const { return static_cast<int64_t>(host->ids.size()); }
  int64_t row_count() const { return static_cast<int64_t>(host->rows.size()); }
  PackedLayout layout() const;

  /// Whether another batch has as many tokens, rows and so on, cut into examples alike.
  bool fits(const HostBatch& other) const;
  /// Enqueues a copy of a checked batch that fits over the arrays on the device; `host` stays as it is.
  void overwrite(const HostBatch& other) const;
};

/// Checks everything a kernel will trust. Throws kInvalidArgument, or kContextLength for a position or block
/// position that the model does not have.
void check_batch(const HostBatch& host, const BatchLimits& limits);

/// Checks, and uploads.
PackedBatch make_packed_batch(const std::shared_ptr<Device>& device, HostBatch host,
                              const BatchLimits& limits);

}  // namespace glm
