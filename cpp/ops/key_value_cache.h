#pragma once

#include <memory>
#include <vector>

#include "ops/ops.h"

namespace glm {

/// What the caches of a model have in common.
struct CacheShape {
  int64_t layers = 0, heads = 0, head_width = 0;
  DType dtype{};
  bool operator==(const CacheShape&) const = default;
};

/// The keys and values of one sequence in every layer: [layers, H, capacity, 2, D]. It grows as rows are
/// added.
class KeyValueCache {
 public:
  KeyValueCache(std::shared_ptr<Device> device, const CacheShape& shape);

  const CacheShape& shape() const { return shape_; }
  /// Rows that have been written, or are about to be.
  int64_t rows() const { return rows_; }
  int64_t capacity() const { return capacity_; }
  const Tensor& tensor() const { return tensor_; }

  /// Makes room for `rows` rows. Those there are keep their contents.
  void reserve(int64_t rows);
  /// Counts rows as written.
  void extend(int64_t rows) { rows_ = rows > rows_ ? rows : rows_; }

 private:
  std::shared_ptr<Device> device_;
  CacheShape shape_;
  int64_t rows_ = 0, capacity_ = 0;
  Tensor tensor_;
};

using KeyValueCachePtr = std::shared_ptr<KeyValueCache>;

/// How the tokens of a batch use caches, one cache for each example of the batch.
struct HostCacheStep {
  std::vector<int32_t> slots;         // [N] the row of its cache that a token's keys and values get
  std::vector<int32_t> shared;        // [B] every token of the example sees the rows before this one, …
  std::vector<int32_t> seen_offsets;  // [N + 1]
  std::vector<int32_t> seen;          // … and these, its own among them
};

/// What the kernels of a step are made for, whatever its arrays hold.
struct CacheStepSize {
  int32_t most_tokens = 0;  // that a sequence has
  int32_t most_keys = 0;    // at least what a token sees, and a power of two
  size_t seen = 0;          // the room for the named rows, a power of two
};

/// A checked step, with its caches large enough and its arrays on the device.
struct CacheStep {
  PackedBatchPtr batch;
  bool encode = false;  // the tokens are whole examples: they see each other, and fill empty caches
  CacheShape shape;
  CacheStepSize size;
  std::vector<Tensor> memory;  // of the caches, which may grow or go while ops are still to be enqueued
  Tensor arrays;               // all of these
  Tensor sequences, slots, seen_offsets, seen;

  CacheLayout layout() const;
};

using CacheStepPtr = std::shared_ptr<const CacheStep>;

/// A step that encodes contexts: each example of the batch fills its cache from row 0 on.
CacheStep make_encoding_step(const std::shared_ptr<Device>& device, const PackedBatchPtr& batch,
                             const std::vector<KeyValueCachePtr>& caches);

/// A step that adds tokens to sequences. Throws kInvalidArgument for rows that nobody has written.
CacheStep make_decoding_step(const std::shared_ptr<Device>& device, const PackedBatchPtr& batch,
                             const std::vector<KeyValueCachePtr>& caches, HostCacheStep arrays);

/// Enqueues a copy of another decoding step, of `batch`, over the arrays of `step`, whose batch it fits.
/// False, and nothing is done, where the step is larger. Throws as make_decoding_step.
bool overwrite(const CacheStep& step, const HostBatch& batch, const std::vector<KeyValueCachePtr>& caches,
               HostCacheStep arrays);

}  // namespace glm
