#include "batch_object.h"

#include "arguments.h"
#include "environment.h"
#include "made_object.h"

namespace glm::binding {
namespace {

constexpr napi_type_tag kBatchTag = {0x6e61746976650002, 0x676c6d6261746368};

}  // namespace

void BatchObject::define(Napi::Env env, Napi::Object) {
  Environment::of(env).batch_class =
      Napi::Persistent(DefineClass(env, "NativeBatch",
                                   {InstanceAccessor<&BatchObject::has_prompts>("hasPrompts"),
                                    InstanceMethod<&BatchObject::dispose>("dispose")}));
}

Napi::Value BatchObject::create(Napi::Env env, const PackedBatchPtr& batch) {
  return make_object(env, Environment::of(env).batch_class, batch);
}

BatchObject::BatchObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<BatchObject>(info),
      batch_(pointer_of<PackedBatchPtr>(info, "batches are made by a device's batch()")) {
  info.This().As<Napi::Object>().TypeTag(&kBatchTag);
}

PackedBatchPtr BatchObject::batch_of(const Napi::Value& value) {
  require(value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kBatchTag), Code::kInvalidArgument,
          "expected a batch that a device's batch() has made");
  PackedBatchPtr batch = Unwrap(value.As<Napi::Object>())->batch_;
  require(batch != nullptr, Code::kDisposed, "expected a live batch, found one that was disposed");
  return batch;
}

Napi::Value BatchObject::has_prompts(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), batch_ != nullptr && batch_->has_prompts);
}

Napi::Value BatchObject::dispose(const Napi::CallbackInfo& info) {
  batch_.reset();
  return info.Env().Undefined();
}

HostBatch to_host_batch(const Napi::Value& value) {
  Napi::Object object = to_object(value, "a batch");
  auto array = [&](const char* name) { return to_vector<int32_t>(object.Get(name), name); };
  HostBatch host{.ids = array("ids"),
                 .positions = array("positions"),
                 .block_positions = array("blockPositions"),
                 .offsets = array("offsets"),
                 .contexts = array("contextLengths"),
                 .rows = array("rows"),
                 .targets = {},
                 .weights = {}};
  if (!is_absent(object.Get("targets"))) host.targets = array("targets");
  if (!is_absent(object.Get("weights"))) host.weights = to_vector<float>(object.Get("weights"), "weights");
  return host;
}

}  // namespace glm::binding
