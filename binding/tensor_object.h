#pragma once

#include <napi.h>

#include <memory>

#include "autograd/variable.h"

namespace glm::binding {

/// What a JavaScript tensor and the scope that it was made in share: either may let go of the value.
struct TensorHandle {
  VariablePtr variable;

  void dispose() {
    if (variable) variable->release();
    variable.reset();
  }
};

/// NativeTensor of ts/native.ts.
class TensorObject : public Napi::ObjectWrap<TensorObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Value create(Napi::Env env, std::shared_ptr<TensorHandle> handle);
  /// Tells V8 of the memory that a JavaScript tensor holds, so that it is collected in time when it is
  /// dropped.
  static void report(const Napi::Value& tensor);
  /// The variable of a JavaScript tensor. Throws kInvalidArgument for anything else, kDisposed after
  /// dispose().
  static VariablePtr variable_of(const Napi::Value& value, const char* name);
  static VariablePtr optional_variable_of(const Napi::Value& value, const char* name);
  static std::shared_ptr<TensorHandle> handle_of(const Napi::Value& value, const char* name);

  explicit TensorObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value shape(const Napi::CallbackInfo& info);
  Napi::Value dtype(const Napi::CallbackInfo& info);
  Napi::Value disposed(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value read_gradient(const Napi::CallbackInfo& info);
  Napi::Value clear_gradient(const Napi::CallbackInfo& info);
  Napi::Value set_requires_gradient(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  const VariablePtr& variable() const;
  void forget(Napi::BasicEnv env);

  std::shared_ptr<TensorHandle> handle_;
  int64_t reported_bytes_ = 0;
};

/// A promise of the tensor's contents as a typed array (bfloat16 as Uint16Array bits).
Napi::Promise read_tensor(Napi::Env env, const Tensor& tensor);

}  // namespace glm::binding
