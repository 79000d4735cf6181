#include "cache_object.h"

#include "arguments.h"
#include "environment.h"
#include "made_object.h"

namespace glm::binding {
namespace {

constexpr napi_type_tag kCacheTag = {0x6e61746976650003, 0x676c6d6361636865};
constexpr napi_type_tag kCacheStepTag = {0x6e61746976650004, 0x676c6d6361636865};
constexpr const char* kMadeBy = "this is made by a device's methods";

}  // namespace

void CacheObject::define(Napi::Env env) {
  Environment::of(env).cache_class = Napi::Persistent(
      DefineClass(env, "NativeKeyValueCache", {InstanceMethod<&CacheObject::dispose>("dispose")}));
}

Napi::Value CacheObject::create(Napi::Env env, const KeyValueCachePtr& cache) {
  return make_object(env, Environment::of(env).cache_class, cache);
}

CacheObject::CacheObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<CacheObject>(info), cache_(pointer_of<KeyValueCachePtr>(info, kMadeBy)) {
  info.This().As<Napi::Object>().TypeTag(&kCacheTag);
}

CacheObject& CacheObject::object_of(const Napi::Value& value) {
  require(value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kCacheTag), Code::kInvalidArgument,
          "expected a cache that a device's keyValueCache() has made");
  CacheObject& object = *Unwrap(value.As<Napi::Object>());
  require(object.cache_ != nullptr, Code::kDisposed, "expected a live cache, found one that was disposed");
  return object;
}

Napi::Value CacheObject::dispose(const Napi::CallbackInfo& info) {
  cache_.reset();
  return info.Env().Undefined();
}

void CacheStepObject::define(Napi::Env env) {
  Environment::of(env).cache_step_class = Napi::Persistent(
      DefineClass(env, "NativeCacheStep", {InstanceMethod<&CacheStepObject::dispose>("dispose")}));
}

Napi::Value CacheStepObject::create(Napi::Env env, const CacheStepPtr& step) {
  return make_object(env, Environment::of(env).cache_step_class, step);
}

CacheStepObject::CacheStepObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<CacheStepObject>(info), step_(pointer_of<CacheStepPtr>(info, kMadeBy)) {
  info.This().As<Napi::Object>().TypeTag(&kCacheStepTag);
}

CacheStepPtr CacheStepObject::step_of(const Napi::Value& value) {
  require(value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kCacheStepTag), Code::kInvalidArgument,
          "expected a step that a device's cacheStep() has made");
  CacheStepPtr step = Unwrap(value.As<Napi::Object>())->step_;
  require(step != nullptr, Code::kDisposed, "expected a live step, found one that was disposed");
  return step;
}

Napi::Value CacheStepObject::dispose(const Napi::CallbackInfo& info) {
  step_.reset();
  return info.Env().Undefined();
}

std::vector<KeyValueCachePtr> to_caches(const Napi::Value& value) {
  require(value.IsArray(), Code::kInvalidArgument, "expected the caches to be an array");
  auto array = value.As<Napi::Array>();
  std::vector<KeyValueCachePtr> caches;
  for (uint32_t i = 0; i < array.Length(); i++)
    caches.push_back(CacheObject::object_of(array.Get(i)).cache());
  return caches;
}

HostCacheStep to_host_cache_step(const Napi::Value& value) {
  Napi::Object object = to_object(value, "a decoding step");
  auto array = [&](const char* name) { return to_vector<int32_t>(object.Get(name), name); };
  return {.slots = array("slots"),
          .shared = array("shared"),
          .seen_offsets = array("seenOffsets"),
          .seen = array("seen")};
}

}  // namespace glm::binding
