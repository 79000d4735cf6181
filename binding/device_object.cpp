#include "device_object.h"

#include <algorithm>

#include "arguments.h"
#include "batch_object.h"
#include "environment.h"
#include "file_arrays.h"
#include "io/load_tensor.h"

namespace glm::binding {
namespace {

Activation to_activation(const Napi::Value& value) {
  if (is_absent(value)) return Activation::kNone;
  std::string name = to_text(value, "activation");
  if (name == "gelu_tanh") return Activation::kGeluTanh;
  if (name == "gelu_erf") return Activation::kGeluErf;
  if (name == "tanh") return Activation::kTanh;
  if (name == "relu") return Activation::kRelu;
  fail(Code::kInvalidArgument, "expected the activation gelu_tanh, gelu_erf, tanh or relu, found \"", name,
       "\"");
}

DropoutOptions to_dropout(const Napi::Value& value) {
  if (is_absent(value)) return {};
  Napi::Object object = to_object(value, "dropout");
  return {.probability = to_number(object.Get("probability"), "dropout.probability"),
          .seed = static_cast<uint64_t>(to_integer(object.Get("seed"), "dropout.seed")),
          .site = static_cast<uint64_t>(to_integer(object.Get("site"), "dropout.site"))};
}

Napi::Object to_options(const Napi::Value& value, Napi::Env env) {
  return is_absent(value) ? Napi::Object::New(env) : to_object(value, "options");
}

/// A device waits for the work under way before it goes. The collector lets go of it on the JavaScript
/// thread, which must not wait: another device's work is in the same stream.
std::shared_ptr<Device> ends_in_background(Device* device, const std::shared_ptr<Stream>& background) {
  return {device,
          [background](Device* last) { background->enqueue([owner = std::shared_ptr<Device>(last)] {}); }};
}

double number_or(const Napi::Object& object, const char* name, double otherwise) {
  Napi::Value value = object.Get(name);
  return is_absent(value) ? otherwise : to_number(value, name);
}

}  // namespace

template <Napi::Value (DeviceObject::*Body)(const Napi::CallbackInfo&)>
Napi::Value DeviceObject::call(const Napi::CallbackInfo& info) {
  return guarded(info, [&] { return (this->*Body)(info); });
}

/// inspectCuda(): what there is of CUDA here, or why there is none.
static Napi::Value inspect_cuda_here(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    CudaSystem system = inspect_cuda();
    Napi::Object out = Napi::Object::New(info.Env());
    out["reason"] = system.reason;
    out["driverVersion"] = system.driver_version;
    out["runtimeVersion"] = system.runtime_version;
    Napi::Array devices = Napi::Array::New(info.Env());
    for (const CudaDevice& found : system.devices) {
      Napi::Object device = Napi::Object::New(info.Env());
      device["name"] = found.name;
      device["reason"] = found.reason;
      device["memoryBytes"] = static_cast<double>(found.memory_bytes);
      device["computeCapability"] = text(found.major, ".", found.minor);
      devices[devices.Length()] = device;
    }
    out["devices"] = devices;
    return out;
  });
}

void DeviceObject::define(Napi::Env env, Napi::Object exports) {
  exports["inspectCuda"] = Napi::Function::New<inspect_cuda_here>(env, "inspectCuda");
  exports["NativeDevice"] = DefineClass(
      env, "NativeDevice",
      {
          InstanceAccessor<&DeviceObject::name>("name"),
          InstanceAccessor<&DeviceObject::threads>("threads"),
          InstanceAccessor<&DeviceObject::instruction_set>("instructionSet"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::memory>>("memory"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::reset_peak>>("resetPeak"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::trim>>("trim"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::synchronize>>("synchronize"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::tensor>>("tensor"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::normal>>("normal"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::load>>("load"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::map>>("map"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::trainable>>("trainable"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::batch>>("batch"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::open_scope>>("openScope"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::close_scope>>("closeScope"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::begin_tape>>("beginTape"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::backward>>("backward"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::end_tape>>("endTape"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::embedding>>("embedding"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::lstm>>("lstm"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::layer_norm>>("layerNorm"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::linear>>("linear"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::attention>>("attention"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::cast>>("cast"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::gather_rows>>("gatherRows"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::cross_entropy>>("crossEntropy"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::squared_gradient_norm>>("squaredGradientNorm"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::adamw>>("adamw"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::key_value_cache>>("keyValueCache"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::cache_step>>("cacheStep"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::record_step>>("recordStep"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::attention_cached>>("attentionCached"),
          InstanceMethod<&DeviceObject::call<&DeviceObject::choose_tokens>>("chooseTokens"),
      });
}

DeviceObject::DeviceObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceObject>(info) {
  guarded(info, [&] {
    Napi::Object options = to_object(info[0], "the device's options");
    Napi::Value cuda = options.Get("cuda"), threads = options.Get("threads"),
                instruction_set = options.Get("instructionSet");
    Environment& environment = Environment::of(info.Env());
    const std::shared_ptr<Stream>&stream = environment.compute(), &background = environment.background();
    if (is_absent(cuda)) {
      int count = is_absent(threads) ? 0 : static_cast<int>(to_integer(threads, "threads", 1, 1024));
      std::string set = is_absent(instruction_set) ? "" : to_text(instruction_set, "instructionSet");
      context_.device =
          ends_in_background(new Device(stream, nullptr, make_cpu_backend(*stream, count, set)), background);
    } else {
      int index = static_cast<int>(to_integer(cuda, "cuda", 0, INT32_MAX));
      context_.device = ends_in_background(
          new Device(stream, environment.arrivals(), make_cuda_backend(*stream, index)), background);
    }
    return info.Env().Undefined();
  });
}

Napi::Value DeviceObject::wrap(Napi::Env env, VariablePtr variable) {
  auto handle = std::make_shared<TensorHandle>(TensorHandle{std::move(variable)});
  Napi::Value object = TensorObject::create(env, handle);
  // What a scope will dispose must not make the collector think that much waits for it.
  if (scopes_.empty()) {
    TensorObject::report(object);
  } else {
    scopes_.back().push_back(handle);
  }
  return object;
}

// ---- the device
// -------------------------------------------------------------------------------------------------

Napi::Value DeviceObject::name(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), context_.device->backend().name());
}

Napi::Value DeviceObject::threads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), context_.device->backend().threads());
}

Napi::Value DeviceObject::instruction_set(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), context_.device->backend().instruction_set());
}

Napi::Value DeviceObject::memory(const Napi::CallbackInfo& info) {
  const Allocator::Statistics& statistics = context_.device->allocator().statistics();
  Napi::Object out = Napi::Object::New(info.Env());
  out["inUse"] = static_cast<double>(statistics.in_use);
  out["peak"] = static_cast<double>(statistics.peak);
  out["reserved"] = static_cast<double>(statistics.reserved);
  return out;
}

Napi::Value DeviceObject::reset_peak(const Napi::CallbackInfo& info) {
  context_.device->allocator().reset_peak();
  return info.Env().Undefined();
}

Napi::Value DeviceObject::trim(const Napi::CallbackInfo& info) {
  // The segments go first; were it the device, it would only be queued behind.
  Environment::of(info.Env())
      .background()
      ->enqueue([device = context_.device, segments = context_.device->allocator().trim()] {});
  return info.Env().Undefined();
}

Napi::Value DeviceObject::synchronize(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto settler = std::make_shared<Environment::Settler>(Environment::of(env), env,
                                                        [](Napi::Env e) { return e.Undefined(); });
  Stream& stream = context_.device->stream();
  stream.enqueue(
      [&backend = context_.device->backend()] { backend.perform([&] { backend.synchronize(); }); });
  stream.checkpoint([settler](const Error* error) { settler->settle(error); });
  return settler->promise();
}

// ---- values
// -----------------------------------------------------------------------------------------------------

Napi::Value DeviceObject::tensor(const Napi::CallbackInfo& info) {
  Shape shape = to_shape(info[0]);
  DType dtype = to_dtype(info[1]);
  bool requires_gradient = to_boolean(info[3], "requiresGradient");
  bool is_integer = dtype == DType::kInt32 || dtype == DType::kUInt8;
  require(!requires_gradient || !is_integer, Code::kInvalidArgument,
          "expected a tensor that requires a gradient to be float32, bfloat16 or float16, found ",
          name_of(dtype));
  Tensor tensor(context_.device, shape, dtype);
  if (is_absent(info[2])) {
    context_.device->launch(Zero{tensor.data(), static_cast<int64_t>(tensor.bytes())});
  }
  Napi::Value wrapped =
      wrap(info.Env(), std::make_shared<Variable>(context_.device, std::move(tensor), requires_gradient));
  if (!is_absent(info[2]))
    wrapped.As<Napi::Object>().Get("write").As<Napi::Function>().Call(wrapped, {info[2]});
  return wrapped;
}

Napi::Value DeviceObject::normal(const Napi::CallbackInfo& info) {
  Napi::Object options = to_object(info[1], "options");
  return wrap(info.Env(), random_normal(context_, to_shape(info[0]), number_or(options, "mean", 0),
                                        to_number(options.Get("deviation"), "deviation"),
                                        static_cast<uint64_t>(to_integer(options.Get("seed"), "seed")),
                                        static_cast<uint64_t>(to_integer(options.Get("site"), "site")),
                                        to_boolean(options.Get("requiresGradient"), "requiresGradient")));
}

/// load(tensor, arrays): reads them into the beginning of the tensor.
Napi::Value DeviceObject::load(const Napi::CallbackInfo& info) {
  const Tensor& tensor = TensorObject::variable_of(info[0], "tensor")->tensor();
  JoinedArrays arrays = to_joined_arrays(info[1]);
  bool fits = arrays.shape.elements() <= tensor.shape().elements();
  require(
      fits && arrays.shape.rows() <= tensor.shape().rows() && arrays.shape.last() == tensor.shape().last(),
      Code::kInvalidArgument, "expected arrays for a tensor ", tensor.shape().str(), ", found ",
      arrays.shape.str());
  load_into(tensor, std::move(arrays));
  return info.Env().Undefined();
}

/// map(array, requiresGradient): a tensor over the file, or null.
Napi::Value DeviceObject::map(const Napi::CallbackInfo& info) {
  Tensor tensor = map_tensor(context_.device, to_file_array(info[0]));
  if (!tensor) return info.Env().Null();
  bool requires_gradient = to_boolean(info[1], "requiresGradient");
  return wrap(info.Env(), std::make_shared<Variable>(context_.device, std::move(tensor), requires_gradient));
}

/// trainable(parameter, dtype): it, or a copy in its stead where it lies in a file or is of another type.
Napi::Value DeviceObject::trainable(const Napi::CallbackInfo& info) {
  const Tensor& tensor = TensorObject::variable_of(info[0], "parameter")->tensor();
  DType dtype = to_dtype(info[1]);
  if (tensor.dtype() == dtype && !tensor.is_mapped()) return info[0];
  Tensor copy = copy_as(dtype, tensor, context_.device);
  return wrap(info.Env(), std::make_shared<Variable>(context_.device, std::move(copy), true));
}

Napi::Value DeviceObject::batch(const Napi::CallbackInfo& info) {
  Napi::Object limits = to_object(info[1], "limits");
  auto batch = std::make_shared<const PackedBatch>(make_packed_batch(
      context_.device, to_host_batch(info[0]),
      {.vocabulary = to_integer(limits.Get("vocabulary"), "limits.vocabulary"),
       .prompts = is_absent(limits.Get("prompts")) ? 0 : to_integer(limits.Get("prompts"), "limits.prompts"),
       .positions = to_integer(limits.Get("positions"), "limits.positions"),
       .block_positions = to_integer(limits.Get("blockPositions"), "limits.blockPositions")}));
  return BatchObject::create(info.Env(), batch);
}

// ---- scopes and the tape
// ----------------------------------------------------------------------------------------

Napi::Value DeviceObject::open_scope(const Napi::CallbackInfo& info) {
  scopes_.emplace_back();
  return info.Env().Undefined();
}

/// closeScope(keep, recompute): disposes what the scope made, but for `keep`, which moves to the scope around
/// it. With `recompute`, what is disposed is not kept for the backward either but computed again.
Napi::Value DeviceObject::close_scope(const Napi::CallbackInfo& info) {
  require(!scopes_.empty(), Code::kInvalidArgument, "expected an open scope to close, found none");
  require(info[0].IsArray(), Code::kInvalidArgument, "expected the tensors to keep to be an array");
  bool recompute = to_boolean(info[1], "recompute");
  std::vector<std::shared_ptr<TensorHandle>> kept;
  auto array = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) kept.push_back(TensorObject::handle_of(array.Get(i), "keep"));

  std::vector<std::weak_ptr<TensorHandle>> scope = std::move(scopes_.back());
  scopes_.pop_back();
  for (const std::weak_ptr<TensorHandle>& weak : scope) {
    std::shared_ptr<TensorHandle> handle = weak.lock();
    if (handle == nullptr || handle->variable == nullptr) continue;
    if (std::find(kept.begin(), kept.end(), handle) != kept.end()) {
      if (!scopes_.empty()) scopes_.back().push_back(handle);
      continue;
    }
    if (recompute) handle->variable->allow_release();
    handle->dispose();
  }
  return info.Env().Undefined();
}

Napi::Value DeviceObject::begin_tape(const Napi::CallbackInfo& info) {
  context_.tape.begin();
  return info.Env().Undefined();
}

/// backward(root, gradient?): from `root`, with the gradient given or the one that its op has taken already.
Napi::Value DeviceObject::backward(const Napi::CallbackInfo& info) {
  VariablePtr root = TensorObject::variable_of(info[0], "the tensor to go back from");
  if (VariablePtr gradient = TensorObject::optional_variable_of(info[1], "gradient")) {
    require(gradient->shape() == root->shape() && gradient->dtype() == root->dtype(), Code::kInvalidArgument,
            "expected a gradient of shape ", root->shape().str(), ", found ", gradient->shape().str());
    root->set_gradient(gradient->tensor());
  }
  context_.tape.backward(root);
  return info.Env().Undefined();
}

Napi::Value DeviceObject::end_tape(const Napi::CallbackInfo& info) {
  context_.tape.end();
  return info.Env().Undefined();
}

// ---- ops
// --------------------------------------------------------------------------------------------------------

Napi::Value DeviceObject::embedding(const Napi::CallbackInfo& info) {
  Napi::Object options = to_object(info[2], "options");
  return wrap(
      info.Env(),
      glm::embedding(context_, BatchObject::batch_of(info[0]), TensorObject::variable_of(info[1], "words"),
                     TensorObject::optional_variable_of(options.Get("prompts"), "prompts"),
                     TensorObject::optional_variable_of(options.Get("positionTable"), "positionTable"),
                     TensorObject::optional_variable_of(options.Get("blockTable"), "blockTable"),
                     to_dtype(options.Get("dtype")), to_dropout(options.Get("dropout"))));
}

Napi::Value DeviceObject::lstm(const Napi::CallbackInfo& info) {
  auto direction = [](const Napi::Value& value, const char* name) {
    Napi::Object tensors = to_object(value, name);
    return LstmDirection{TensorObject::variable_of(tensors.Get("gates"), "gates"),
                         TensorObject::variable_of(tensors.Get("weight"), "weight"),
                         TensorObject::variable_of(tensors.Get("bias"), "bias")};
  };
  return wrap(info.Env(), glm::lstm(context_, direction(info[0], "forward"), direction(info[1], "backward")));
}

Napi::Value DeviceObject::layer_norm(const Napi::CallbackInfo& info) {
  return wrap(info.Env(),
              glm::layer_norm(context_, TensorObject::variable_of(info[0], "x"),
                              TensorObject::variable_of(info[1], "weight"),
                              TensorObject::variable_of(info[2], "bias"), to_number(info[3], "epsilon")));
}

Napi::Value DeviceObject::linear(const Napi::CallbackInfo& info) {
  Napi::Object options = to_options(info[3], info.Env());
  return wrap(
      info.Env(),
      glm::linear(context_, TensorObject::variable_of(info[0], "x"),
                  TensorObject::variable_of(info[1], "weight"),
                  TensorObject::optional_variable_of(info[2], "bias"),
                  {.activation = to_activation(options.Get("activation")),
                   .residual = TensorObject::optional_variable_of(options.Get("residual"), "residual"),
                   .dropout = to_dropout(options.Get("dropout"))}));
}

Napi::Value DeviceObject::attention(const Napi::CallbackInfo& info) {
  Napi::Object options = to_object(info[2], "options");
  return wrap(
      info.Env(),
      glm::attention(context_, BatchObject::batch_of(info[0]), TensorObject::variable_of(info[1], "qkv"),
                     {.heads = static_cast<int>(to_integer(options.Get("heads"), "heads", 1, 65536)),
                      .rotary = TensorObject::optional_variable_of(options.Get("rotary"), "rotary"),
                      .dropout = to_dropout(options.Get("dropout"))}));
}

Napi::Value DeviceObject::cast(const Napi::CallbackInfo& info) {
  return wrap(info.Env(), glm::cast(context_, TensorObject::variable_of(info[0], "x"), to_dtype(info[1])));
}

Napi::Value DeviceObject::gather_rows(const Napi::CallbackInfo& info) {
  return wrap(info.Env(), glm::gather_rows(context_, BatchObject::batch_of(info[0]),
                                           TensorObject::variable_of(info[1], "x")));
}

Napi::Value DeviceObject::cross_entropy(const Napi::CallbackInfo& info) {
  Napi::Object options = to_options(info[3], info.Env());
  return wrap(info.Env(), glm::cross_entropy(context_, BatchObject::batch_of(info[0]),
                                             TensorObject::variable_of(info[1], "hidden"),
                                             TensorObject::variable_of(info[2], "words"),
                                             {.smoothing = number_or(options, "smoothing", 0),
                                              .gradient_scale = number_or(options, "gradientScale", 1)}));
}

/// squaredGradientNorm(parameters): a promise of Σ g² over their gradients.
Napi::Value DeviceObject::squared_gradient_norm(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  context_.device->check_not_recording();
  require(info[0].IsArray(), Code::kInvalidArgument, "expected the parameters to be an array");
  auto array = info[0].As<Napi::Array>();
  std::vector<Tensor> gradients;
  for (uint32_t i = 0; i < array.Length(); i++) {
    gradients.push_back(TensorObject::variable_of(array.Get(i), "a parameter")->gradient());
  }
  Tensor norm = squared_norm(context_, gradients);
  auto result = std::make_shared<double>(0);
  auto settler = std::make_shared<Environment::Settler>(
      Environment::of(env), env,
      [result](Napi::Env e) -> Napi::Value { return Napi::Number::New(e, *result); });
  download(norm, result.get(), [settler, result](const Error* error) { settler->settle(error); });
  return settler->promise();
}

/// adamw(parameters: { parameter, firstMoment, secondMoment, decay }[], options)
Napi::Value DeviceObject::adamw(const Napi::CallbackInfo& info) {
  require(info[0].IsArray(), Code::kInvalidArgument, "expected the parameters to be an array");
  auto array = info[0].As<Napi::Array>();
  std::vector<AdamWParameter> parameters;
  for (uint32_t i = 0; i < array.Length(); i++) {
    Napi::Object entry = to_object(array.Get(i), "a parameter");
    parameters.push_back(
        {.parameter = TensorObject::variable_of(entry.Get("parameter"), "parameter"),
         .copy = TensorObject::optional_variable_of(entry.Get("copy"), "copy"),
         .first_moment = TensorObject::variable_of(entry.Get("firstMoment"), "firstMoment")->tensor(),
         .second_moment = TensorObject::variable_of(entry.Get("secondMoment"), "secondMoment")->tensor(),
         .decay = to_boolean(entry.Get("decay"), "decay")});
  }
  Napi::Object options = to_object(info[1], "options");
  auto option = [&](const char* name) { return to_number(options.Get(name), name); };
  glm::adamw(context_, parameters,
             {.rate = option("learningRate"),
              .beta1 = option("beta1"),
              .beta2 = option("beta2"),
              .epsilon = option("epsilon"),
              .weight_decay = option("weightDecay"),
              .gradient_scale = option("gradientScale"),
              .step = to_integer(options.Get("step"), "step", 1)});
  return info.Env().Undefined();
}

}  // namespace glm::binding
