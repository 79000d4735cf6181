#include "recorded_step_object.h"

#include "batch_object.h"
#include "cache_object.h"
#include "environment.h"
#include "made_object.h"

namespace glm::binding {

void RecordedStepObject::define(Napi::Env env) {
  Environment::of(env).recorded_step_class =
      Napi::Persistent(DefineClass(env, "NativeRecordedStep",
                                   {InstanceMethod<&RecordedStepObject::run>("run"),
                                    InstanceMethod<&RecordedStepObject::dispose>("dispose")}));
}

Napi::Value RecordedStepObject::create(Napi::Env env, const std::shared_ptr<RecordedStep>& step) {
  return make_object(env, Environment::of(env).recorded_step_class, step);
}

RecordedStepObject::RecordedStepObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<RecordedStepObject>(info),
      step_(pointer_of<std::shared_ptr<RecordedStep>>(
          info, "recorded steps are made by a device's recordStep()")) {}

/// run(arrays, caches, rows): whether they are of the numbers that were recorded.
Napi::Value RecordedStepObject::run(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    // Copied first: reading a property may run JavaScript, which may dispose this.
    HostBatch batch = to_host_batch(info[0]);
    std::vector<KeyValueCachePtr> caches = to_caches(info[1]);
    HostCacheStep rows = to_host_cache_step(info[2]);
    require(step_ != nullptr, Code::kDisposed, "expected a live recorded step, found one that was disposed");
    return Napi::Boolean::New(info.Env(), step_->run(batch, caches, std::move(rows)));
  });
}

Napi::Value RecordedStepObject::dispose(const Napi::CallbackInfo& info) {
  step_.reset();
  return info.Env().Undefined();
}

}  // namespace glm::binding
