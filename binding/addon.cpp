#include <napi.h>

#include <system_error>

#include "batch_object.h"
#include "cache_object.h"
#include "device_object.h"
#include "environment.h"
#include "file_arrays.h"
#include "recorded_step_object.h"
#include "span_builder_object.h"
#include "tensor_object.h"

namespace glm::binding {
namespace {

Napi::Value set_error_class(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) throw Napi::TypeError::New(info.Env(), "expected the class of errors");
  Environment::of(info.Env()).set_error_class(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Environment::create(env);
  exports["setErrorClass"] = Napi::Function::New<set_error_class>(env, "setErrorClass");
  exports["readArrays"] = Napi::Function::New<read_file_arrays>(env, "readArrays");
  TensorObject::define(env, exports);
  BatchObject::define(env, exports);
  CacheObject::define(env);
  CacheStepObject::define(env);
  RecordedStepObject::define(env);
  DeviceObject::define(env, exports);
  SpanBuilderObject::define(env, exports);
  return exports;
}

}  // namespace
}  // namespace glm::binding

static Napi::Object initialize_addon(Napi::Env env, Napi::Object exports) {
  try {
    return glm::binding::initialize(env, exports);
  } catch (const std::system_error& error) {  // no thread for the stream
    throw Napi::Error::New(env, error.what());
  }
}

NODE_API_MODULE(glm, initialize_addon)
