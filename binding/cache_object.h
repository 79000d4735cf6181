#pragma once

#include <napi.h>

#include <vector>

#include "ops/key_value_cache.h"

namespace glm::binding {

/// NativeKeyValueCache of ts/native.ts.
class CacheObject : public Napi::ObjectWrap<CacheObject> {
 public:
  static void define(Napi::Env env);
  static Napi::Value create(Napi::Env env, const KeyValueCachePtr& cache);
  /// Throws kInvalidArgument for anything else, kDisposed after dispose().
  static CacheObject& object_of(const Napi::Value& value);

  explicit CacheObject(const Napi::CallbackInfo& info);

  const KeyValueCachePtr& cache() const { return cache_; }

 private:
  Napi::Value dispose(const Napi::CallbackInfo& info);

  KeyValueCachePtr cache_;
};

/// NativeCacheStep of ts/native.ts.
class CacheStepObject : public Napi::ObjectWrap<CacheStepObject> {
 public:
  static void define(Napi::Env env);
  static Napi::Value create(Napi::Env env, const CacheStepPtr& step);
  /// Throws kInvalidArgument for anything else, kDisposed after dispose().
  static CacheStepPtr step_of(const Napi::Value& value);

  explicit CacheStepObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value dispose(const Napi::CallbackInfo& info);

  CacheStepPtr step_;
};

std::vector<KeyValueCachePtr> to_caches(const Napi::Value& value);
HostCacheStep to_host_cache_step(const Napi::Value& value);

}  // namespace glm::binding
