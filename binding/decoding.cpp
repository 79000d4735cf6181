// The methods of NativeDevice that decode.

#include "ops/decoding.h"

#include <optional>

#include "arguments.h"
#include "batch_object.h"
#include "cache_object.h"
#include "device_object.h"
#include "environment.h"
#include "recorded_step_object.h"

namespace glm::binding {
namespace {

/// 64 bits from two elements, the lower half first.
uint64_t wide(const std::vector<int32_t>& array, size_t i) {
  return static_cast<uint64_t>(static_cast<uint32_t>(array[2 * i + 1])) << 32 |
         static_cast<uint32_t>(array[2 * i]);
}

TokenChoices to_token_choices(const Napi::Value& value, size_t rows) {
  Napi::Object object = to_object(value, "the choices");
  // Copied: reading the next property may run JavaScript.
  auto array = [&]<class T>(const char* name, size_t length) {
    std::vector<T> elements = to_vector<T>(object.Get(name), name);
    require(elements.size() == length, Code::kInvalidArgument, "expected ", name, " to have ", length,
            " elements, found ", elements.size());
    return elements;
  };
  auto integers = [&](const char* name, size_t length) { return array.operator()<int32_t>(name, length); };
  auto floats = [&](const char* name) { return array.operator()<float>(name, rows); };
  std::vector<int32_t> counts = integers("counts", rows), top_k = integers("topK", rows);
  std::vector<int32_t> seeds = integers("seeds", 2 * rows), draws = integers("draws", 2 * rows);
  std::vector<int32_t> offsets = integers("forbiddenOffsets", rows + 1);
  std::vector<float> temperatures = floats("temperatures"), top_p = floats("topP");
  TokenChoices choices{.limit = to_integer(object.Get("limit"), "limit"),
                       .rows = {},
                       .forbidden = to_vector<int32_t>(object.Get("forbidden"), "forbidden")};
  for (size_t i = 0; i < rows; i++) {
    choices.rows.push_back({.count = counts[i],
                            .forbidden_begin = offsets[i],
                            .forbidden_end = offsets[i + 1],
                            .temperature = temperatures[i],
                            .top_k = top_k[i],
                            .top_p = top_p[i],
                            .seed = wide(seeds, i),
                            .blank = static_cast<uint32_t>(draws[2 * i]),
                            .token = static_cast<uint32_t>(draws[2 * i + 1])});
  }
  return choices;
}

/// Results on the host, until JavaScript takes them.
struct HostChoice {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
};

Napi::Value to_javascript(Napi::Env env, const HostChoice& host) {
  auto ids = Napi::Int32Array::New(env, host.ids.size());
  auto logprobs = Napi::Float32Array::New(env, host.logprobs.size());
  std::copy(host.ids.begin(), host.ids.end(), ids.Data());
  std::copy(host.logprobs.begin(), host.logprobs.end(), logprobs.Data());
  Napi::Object out = Napi::Object::New(env);
  out["ids"] = ids;
  out["logprobs"] = logprobs;
  return out;
}

}  // namespace

/// keyValueCache({ layers, heads, headWidth, dtype })
Napi::Value DeviceObject::key_value_cache(const Napi::CallbackInfo& info) {
  Napi::Object options = to_object(info[0], "the cache's shape");
  auto size = [&](const char* name) { return to_integer(options.Get(name), name, 1, 1 << 20); };
  CacheShape shape{.layers = size("layers"),
                   .heads = size("heads"),
                   .head_width = size("headWidth"),
                   .dtype = to_dtype(options.Get("dtype"))};
  return CacheObject::create(info.Env(), std::make_shared<KeyValueCache>(context_.device, shape));
}

/// cacheStep(batch, caches, arrays?): a step that decodes, or without arrays one that encodes.
Napi::Value DeviceObject::cache_step(const Napi::CallbackInfo& info) {
  PackedBatchPtr batch = BatchObject::batch_of(info[0]);
  std::vector<KeyValueCachePtr> caches = to_caches(info[1]);
  auto step = std::make_shared<const CacheStep>(
      is_absent(info[2]) ? make_encoding_step(context_.device, batch, caches)
                         : make_decoding_step(context_.device, batch, caches, to_host_cache_step(info[2])));
  return CacheStepObject::create(info.Env(), step);
}

/// recordStep(step, body): what `body` enqueues is recorded, and run; tensors that it makes belong to the
/// recording.
Napi::Value DeviceObject::record_step(const Napi::CallbackInfo& info) {
  CacheStepPtr step = CacheStepObject::step_of(info[0]);
  require(!step->encode, Code::kInvalidArgument,
          "recordStep: expected a step that decodes, found one that encodes");
  require(info[1].IsFunction(), Code::kInvalidArgument, "recordStep: expected the body to be a function");
  require(!context_.tape.recording(), Code::kInvalidArgument,
          "recordStep: expected no recorded computation, found one; decoding has no gradients");
  auto body = info[1].As<Napi::Function>();
  return RecordedStepObject::create(
      info.Env(), std::make_shared<RecordedStep>(context_.device, step, [&body] { body.Call({}); }));
}

/// attentionCached(step, layer, qkv, rotary?)
Napi::Value DeviceObject::attention_cached(const Napi::CallbackInfo& info) {
  return wrap(info.Env(),
              glm::attention_cached(context_, CacheStepObject::step_of(info[0]), to_integer(info[1], "layer"),
                                    TensorObject::variable_of(info[2], "qkv"),
                                    TensorObject::optional_variable_of(info[3], "rotary")));
}

/// chooseTokens(logits, choices): a promise of { ids, logprobs }.
Napi::Value DeviceObject::choose_tokens(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  context_.device->check_not_recording();
  VariablePtr logits = TensorObject::variable_of(info[0], "logits");
  ChosenTokens chosen = glm::choose_tokens(
      context_, logits, to_token_choices(info[1], static_cast<size_t>(logits->shape()[0])));
  auto host = std::make_shared<HostChoice>();
  host->ids.resize(static_cast<size_t>(chosen.ids.shape().elements()));
  host->logprobs.resize(host->ids.size());
  auto settler = std::make_shared<Environment::Settler>(
      Environment::of(env), env, [host](Napi::Env e) { return to_javascript(e, *host); });
  auto failure = std::make_shared<std::optional<Error>>();  // of the ids, which arrive first
  download(chosen.ids, host->ids.data(), [failure](const Error* error) {
    if (error != nullptr) *failure = *error;
  });
  download(chosen.logprobs, host->logprobs.data(), [settler, host, failure](const Error* error) {
    settler->settle(failure->has_value() ? &**failure : error);
  });
  return settler->promise();
}

}  // namespace glm::binding
