#include "tensor_object.h"

#include <cstring>

#include "arguments.h"
#include "environment.h"
#include "made_object.h"

namespace glm::binding {
namespace {

constexpr napi_type_tag kTensorTag = {0x6e61746976650001, 0x676c6d74656e736f};

Napi::Value typed_array(Napi::Env env, const Tensor& tensor, Napi::ArrayBuffer buffer) {
  size_t elements = static_cast<size_t>(tensor.shape().elements());
  switch (tensor.dtype()) {
    case DType::kFloat32:
      return Napi::Float32Array::New(env, elements, buffer, 0);
    case DType::kInt32:
      return Napi::Int32Array::New(env, elements, buffer, 0);
    case DType::kUInt8:
      return Napi::Uint8Array::New(env, elements, buffer, 0);
    case DType::kBFloat16:
    case DType::kFloat16:
      return Napi::Uint16Array::New(env, elements, buffer, 0);
  }
  return env.Undefined();
}

}  // namespace

Napi::Promise read_tensor(Napi::Env env, const Tensor& tensor) {
  tensor.device().check_not_recording();  // before there is a promise to settle
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, tensor.bytes());
  Napi::Value array = typed_array(env, tensor, buffer);
  auto keep = std::make_shared<Napi::Reference<Napi::Value>>(Napi::Reference<Napi::Value>::New(array, 1));
  auto settler = std::make_shared<Environment::Settler>(Environment::of(env), env,
                                                        [keep](Napi::Env) { return keep->Value(); });
  download(tensor, buffer.Data(), [settler](const Error* error) { settler->settle(error); });
  return settler->promise();
}

void TensorObject::define(Napi::Env env, Napi::Object) {
  Napi::Function constructor =
      DefineClass(env, "NativeTensor",
                  {
                      InstanceAccessor<&TensorObject::shape>("shape"),
                      InstanceAccessor<&TensorObject::dtype>("dtype"),
                      InstanceAccessor<&TensorObject::disposed>("disposed"),
                      InstanceMethod<&TensorObject::read>("read"),
                      InstanceMethod<&TensorObject::write>("write"),
                      InstanceMethod<&TensorObject::read_gradient>("readGradient"),
                      InstanceMethod<&TensorObject::clear_gradient>("clearGradient"),
                      InstanceMethod<&TensorObject::set_requires_gradient>("setRequiresGradient"),
                      InstanceMethod<&TensorObject::dispose>("dispose"),
                  });
  Environment::of(env).tensor_class = Napi::Persistent(constructor);
}

Napi::Value TensorObject::create(Napi::Env env, std::shared_ptr<TensorHandle> handle) {
  return make_object(env, Environment::of(env).tensor_class, handle);
}

TensorObject::TensorObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<TensorObject>(info),
      handle_(pointer_of<std::shared_ptr<TensorHandle>>(info, "tensors are made by a device's methods")) {
  info.This().As<Napi::Object>().TypeTag(&kTensorTag);
}

void TensorObject::report(const Napi::Value& tensor) {
  TensorObject& object = *Unwrap(tensor.As<Napi::Object>());
  const Variable& variable = *object.handle_->variable;
  object.reported_bytes_ = variable.shape().elements() * size_of(variable.dtype());
  Napi::MemoryManagement::AdjustExternalMemory(tensor.Env(), object.reported_bytes_);
}

void TensorObject::Finalize(Napi::BasicEnv env) { forget(env); }

void TensorObject::forget(Napi::BasicEnv env) {
  handle_->dispose();
  if (reported_bytes_ > 0) Napi::MemoryManagement::AdjustExternalMemory(env, -reported_bytes_);
  reported_bytes_ = 0;
}

std::shared_ptr<TensorHandle> TensorObject::handle_of(const Napi::Value& value, const char* name) {
  require(value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTensorTag), Code::kInvalidArgument,
          "expected ", name, " to be a tensor");
  return Unwrap(value.As<Napi::Object>())->handle_;
}

VariablePtr TensorObject::variable_of(const Napi::Value& value, const char* name) {
  VariablePtr variable = handle_of(value, name)->variable;
  require(variable != nullptr, Code::kDisposed, "expected ", name,
          " to be a live tensor, found one that was disposed; use it before its scope or model ends");
  return variable;
}

VariablePtr TensorObject::optional_variable_of(const Napi::Value& value, const char* name) {
  return is_absent(value) ? nullptr : variable_of(value, name);
}

const VariablePtr& TensorObject::variable() const {
  require(handle_->variable != nullptr, Code::kDisposed,
          "expected a live tensor, found one that was disposed; use it before its scope or model ends");
  return handle_->variable;
}

Napi::Value TensorObject::shape(const Napi::CallbackInfo& info) {
  return guarded(info, [&] {
    const Shape& shape = variable()->shape();
    Napi::Array array = Napi::Array::New(info.Env(), static_cast<size_t>(shape.rank()));
    for (int i = 0; i < shape.rank(); i++) {
      array.Set(static_cast<uint32_t>(i), Napi::Number::New(info.Env(), static_cast<double>(shape[i])));
    }
    return array;
  });
}

Napi::Value TensorObject::dtype(const Napi::CallbackInfo& info) {
  return guarded(info, [&] { return Napi::String::New(info.Env(), name_of(variable()->dtype())); });
}

Napi::Value TensorObject::disposed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), handle_->variable == nullptr);
}

Napi::Value TensorObject::read(const Napi::CallbackInfo& info) {
  return guarded(info, [&] { return read_tensor(info.Env(), variable()->tensor()); });
}

Napi::Value TensorObject::read_gradient(const Napi::CallbackInfo& info) {
  return guarded(info, [&] {
    require(static_cast<bool>(variable()->gradient()), Code::kInvalidArgument,
            "expected a tensor with a gradient, found one that no backward has reached");
    return read_tensor(info.Env(), variable()->gradient());
  });
}

Napi::Value TensorObject::clear_gradient(const Napi::CallbackInfo& info) {
  return guarded(info, [&] {
    variable()->clear_gradient();
    return info.Env().Undefined();
  });
}

Napi::Value TensorObject::set_requires_gradient(const Napi::CallbackInfo& info) {
  return guarded(info, [&] {
    variable()->require_gradient(to_boolean(info[0], "requiresGradient"));
    return info.Env().Undefined();
  });
}

Napi::Value TensorObject::write(const Napi::CallbackInfo& info) {
  return guarded(info, [&] {
    const Tensor& tensor = variable()->tensor();
    require(info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().ByteLength() == tensor.bytes(),
            Code::kInvalidArgument, "expected a typed array of ", tensor.bytes(), " bytes for ",
            name_of(tensor.dtype()), " ", tensor.shape().str());
    void* data = nullptr;  // not through ArrayBuffer(): the memory may be shared
    napi_get_typedarray_info(info.Env(), info[0], nullptr, nullptr, &data, nullptr, nullptr);
    auto bytes = static_cast<const uint8_t*>(data);
    auto copy = std::make_shared<const std::vector<uint8_t>>(bytes, bytes + tensor.bytes());
    upload(tensor, copy, copy->data());
    return info.Env().Undefined();
  });
}

Napi::Value TensorObject::dispose(const Napi::CallbackInfo& info) {
  forget(info.Env());
  return info.Env().Undefined();
}

}  // namespace glm::binding
