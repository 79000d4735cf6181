#pragma once

#include <napi.h>

#include <memory>

namespace glm::binding {

/// NativeSpanBuilder of ts/native.ts: a checked span strategy, and a CPU backend of its own that applies it
/// on the background thread.
class SpanBuilderObject : public Napi::ObjectWrap<SpanBuilderObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  explicit SpanBuilderObject(const Napi::CallbackInfo& info);

 private:
  struct Builder;

  Napi::Value build(const Napi::CallbackInfo& info);

  std::shared_ptr<Builder> builder_;
};

}  // namespace glm::binding
