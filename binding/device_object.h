#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "ops/ops.h"
#include "tensor_object.h"

namespace glm::binding {

/// NativeDevice of ts/native.ts: a device, its open scopes and its tape, with the ops as methods.
class DeviceObject : public Napi::ObjectWrap<DeviceObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit DeviceObject(const Napi::CallbackInfo& info);

 private:
  template <Napi::Value (DeviceObject::*Body)(const Napi::CallbackInfo&)>
  Napi::Value call(const Napi::CallbackInfo& info);

  Napi::Value name(const Napi::CallbackInfo& info);
  Napi::Value threads(const Napi::CallbackInfo& info);
  Napi::Value instruction_set(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value reset_peak(const Napi::CallbackInfo& info);
  Napi::Value trim(const Napi::CallbackInfo& info);
  Napi::Value synchronize(const Napi::CallbackInfo& info);

  Napi::Value tensor(const Napi::CallbackInfo& info);
  Napi::Value normal(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value map(const Napi::CallbackInfo& info);
  Napi::Value trainable(const Napi::CallbackInfo& info);
  Napi::Value batch(const Napi::CallbackInfo& info);

  Napi::Value open_scope(const Napi::CallbackInfo& info);
  Napi::Value close_scope(const Napi::CallbackInfo& info);
  Napi::Value begin_tape(const Napi::CallbackInfo& info);
  Napi::Value backward(const Napi::CallbackInfo& info);
  Napi::Value end_tape(const Napi::CallbackInfo& info);

  Napi::Value embedding(const Napi::CallbackInfo& info);
  Napi::Value lstm(const Napi::CallbackInfo& info);
  Napi::Value layer_norm(const Napi::CallbackInfo& info);
  Napi::Value linear(const Napi::CallbackInfo& info);
  Napi::Value attention(const Napi::CallbackInfo& info);
  Napi::Value cast(const Napi::CallbackInfo& info);
  Napi::Value gather_rows(const Napi::CallbackInfo& info);
  Napi::Value cross_entropy(const Napi::CallbackInfo& info);
  Napi::Value squared_gradient_norm(const Napi::CallbackInfo& info);
  Napi::Value adamw(const Napi::CallbackInfo& info);

  // Decoding: decoding.cpp.
  Napi::Value key_value_cache(const Napi::CallbackInfo& info);
  Napi::Value cache_step(const Napi::CallbackInfo& info);
  Napi::Value record_step(const Napi::CallbackInfo& info);
  Napi::Value attention_cached(const Napi::CallbackInfo& info);
  Napi::Value choose_tokens(const Napi::CallbackInfo& info);

  /// A JavaScript tensor for a value, disposed with the innermost open scope.
  Napi::Value wrap(Napi::Env env, VariablePtr variable);

  Context context_;
  std::vector<std::vector<std::weak_ptr<TensorHandle>>> scopes_;
};

}  // namespace glm::binding
