#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "ops/key_value_cache.h"

namespace glm {

/// A decoding step that was recorded, to be run for the tokens that follow with one call instead of an op's
/// for each kernel, and on a GPU as one graph.
class RecordedStep {
 public:
  /// Records what `ops` enqueues for `step`, and runs it.
  RecordedStep(std::shared_ptr<Device> device, const CacheStepPtr& step, const std::function<void()>& ops);

  /// Runs it for another batch, caches and rows; results appear where those of the first run did. False, and
  /// nothing is done, where it was recorded for other numbers of tokens, wanted rows or keys. Throws what
  /// making such a batch and step throws.
  bool run(const HostBatch& batch, const std::vector<KeyValueCachePtr>& caches, HostCacheStep arrays);

 private:
  std::shared_ptr<Device> device_;
  CacheStep step_;
  std::unique_ptr<Recording> recording_;
};

}  // namespace glm
