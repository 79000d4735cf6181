#pragma once

#include <napi.h>

#include <memory>

#include "ops/recorded_step.h"

namespace glm::binding {

/// NativeRecordedStep of ts/native.ts.
class RecordedStepObject : public Napi::ObjectWrap<RecordedStepObject> {
 public:
  static void define(Napi::Env env);
  static Napi::Value create(Napi::Env env, const std::shared_ptr<RecordedStep>& step);

  explicit RecordedStepObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<RecordedStep> step_;
};

}  // namespace glm::binding
