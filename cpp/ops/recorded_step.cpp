#include "ops/recorded_step.h"

namespace glm {

RecordedStep::RecordedStep(std::shared_ptr<Device> device, const CacheStepPtr& step,
                           const std::function<void()>& ops)
    : device_(std::move(device)), step_(*step), recording_(device_->record(ops)) {
  recording_->run();
  step_.memory.clear();  // the caches of later runs are others
}

bool RecordedStep::run(const HostBatch& batch, const std::vector<KeyValueCachePtr>& caches,
                       HostCacheStep arrays) {
  const PackedBatch& recorded = *step_.batch;
  check_batch(batch, recorded.limits);
  if (!recorded.fits(batch) || !overwrite(step_, batch, caches, std::move(arrays))) return false;
  recorded.overwrite(batch);
  recording_->run();
  return true;
}

}  // namespace glm
