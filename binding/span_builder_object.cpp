#include "span_builder_object.h"

#include <utility>
#include <vector>

#include "arguments.h"
#include "backend/backend.h"
#include "environment.h"
#include "ops/spans.h"

namespace glm::binding {
namespace {

int32_t to_id(const Napi::Object& object, const char* name) {
  return static_cast<int32_t>(to_integer(object.Get(name), name, -1, INT32_MAX));
}

SpanOptions to_span_options(const Napi::Value& value) {
  Napi::Object object = to_object(value, "the options of spans");
  auto number = [&](const char* name) { return to_number(object.Get(name), name); };
  auto integer = [&](const char* name) { return to_integer(object.Get(name), name); };
  auto boolean = [&](const char* name) { return to_boolean(object.Get(name), name); };
  SpanOptions options;
  options.cls = to_id(object, "cls");
  options.eos = to_id(object, "eos");
  options.sop = to_id(object, "sop");
  options.eop = to_id(object, "eop");
  options.dblock = to_id(object, "dblock");
  options.mask = to_id(object, "mask");
  options.sentence_mask = to_id(object, "sentenceMask");
  options.document_mask = to_id(object, "documentMask");
  options.sentinel_masks = to_vector<int32_t>(object.Get("sentinelMasks"), "sentinelMasks");
  options.sentinel_sops = to_vector<int32_t>(object.Get("sentinelSops"), "sentinelSops");
  options.sentence_ends = to_vector<uint8_t>(object.Get("sentenceEnds"), "sentenceEnds");
  options.vocabulary = integer("vocabulary");
  options.max_length = integer("maxLength");
  options.blank = number("blank");
  options.sentence = number("sentence");
  options.document = number("document");
  options.mask_ratio = number("maskRatio");
  options.sentence_ratio = number("sentenceRatio");
  options.min_document_ratio = number("minDocumentRatio");
  options.average_span_length = number("averageSpanLength");
  options.max_span_length = integer("maxSpanLength");
  options.suffix_probability = number("suffixProbability");
  options.single_span_probability = number("singleSpanProbability");
  options.short_sequence_probability = number("shortSequenceProbability");
  options.span_mask_probability = number("spanMaskProbability");
  options.context_mask_ratio = number("contextMaskRatio");
  options.context_mask_range = integer("contextMaskRange");
  options.shuffle = boolean("shuffle");
  options.block_positions = boolean("blockPositions");
  options.random_position = boolean("randomPosition");
  options.masked_language_model = boolean("maskedLanguageModel");
  return options;
}

/// An array that takes over the memory, where the runtime lets it.
template <class T>
Napi::Value to_array(Napi::Env env, std::unique_ptr<T[]> elements, int64_t count) {
  size_t bytes = static_cast<size_t>(count) * sizeof(T);
  napi_value buffer;
  auto release = [](napi_env, void* data, void*) { delete[] static_cast<T*>(data); };
  if (napi_create_external_arraybuffer(env, elements.get(), bytes, release, nullptr, &buffer) == napi_ok) {
    elements.release();
  } else {
    Napi::ArrayBuffer copy = Napi::ArrayBuffer::New(env, bytes);
    std::memcpy(copy.Data(), elements.get(), bytes);
    buffer = copy;
  }
  return Napi::TypedArrayOf<T>::New(env, static_cast<size_t>(count), Napi::ArrayBuffer(env, buffer), 0);
}

template <class T>
Napi::Value to_array(Napi::Env env, const std::vector<T>& elements) {
  auto array = Napi::TypedArrayOf<T>::New(env, elements.size());
  std::memcpy(array.Data(), elements.data(), elements.size() * sizeof(T));
  return array;
}

Napi::Object to_javascript(Napi::Env env, SpanBatch& batch) {
  Napi::Object object = Napi::Object::New(env);
  int64_t tokens = batch.tokens();
  object["ids"] = to_array(env, std::move(batch.ids), tokens);
  object["positions"] = to_array(env, std::move(batch.positions), tokens);
  object["blockPositions"] = to_array(env, std::move(batch.block_positions), tokens);
  object["offsets"] = to_array(env, batch.offsets);
  object["contextLengths"] = to_array(env, batch.contexts);
  object["targets"] = to_array(env, std::move(batch.targets), tokens);
  object["lossMask"] = to_array(env, std::move(batch.loss_mask), tokens);
  object["objectives"] = to_array(env, batch.objectives);
  object["samples"] = to_array(env, batch.samples);
  return object;
}

struct Rows {
  std::vector<int32_t> tokens, offsets;
};

/// The rows one behind the other, without the [CLS] that a row may begin with.
Rows to_rows(const Napi::Value& value, int32_t cls) {
  require(value.IsArray(), Code::kInvalidArgument, "expected rows to be an array of Int32Array");
  auto array = value.As<Napi::Array>();
  Rows rows;
  rows.offsets.reserve(array.Length() + size_t{1});
  rows.offsets.push_back(0);
  for (uint32_t r = 0; r < array.Length(); r++) {
    Napi::Value element = array.Get(r);
    require(element.IsTypedArray() && element.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array,
            Code::kInvalidArgument, "expected rows[", r, "] to be an Int32Array");
    auto row = element.As<Napi::Int32Array>();
    const int32_t *begin = row.Data(), *end = begin + row.ElementLength();
    if (begin != end && *begin == cls) begin++;
    rows.tokens.insert(rows.tokens.end(), begin, end);
    require(rows.tokens.size() <= INT32_MAX, Code::kInvalidArgument,
            "expected a batch of fewer than 2^31 tokens; pass fewer rows at a time");
    rows.offsets.push_back(static_cast<int32_t>(rows.tokens.size()));
  }
  return rows;
}

Napi::Value lay_out(const Napi::CallbackInfo& info) {
  return guarded(info, [&] {
    Napi::Object object = to_object(info[0], "the layout");
    SpanLayout layout;
    layout.tokens = to_vector<int32_t>(object.Get("tokens"), "tokens");
    layout.begins = to_vector<int32_t>(object.Get("begins"), "begins");
    layout.ends = to_vector<int32_t>(object.Get("ends"), "ends");
    layout.order = to_vector<int32_t>(object.Get("order"), "order");
    layout.objective =
        static_cast<SpanObjective>(to_integer(object.Get("objective"), "objective", 0, kSpanObjectives - 1));
    bool suffix = to_boolean(object.Get("suffix"), "suffix");
    layout.form = suffix ? SpanForm::kSuffix : SpanForm::kBlanks;
    layout.cls = to_id(object, "cls");
    layout.sop = to_id(object, "sop");
    layout.eop = to_id(object, "eop");
    layout.mask = to_id(object, "mask");
    auto backend = make_cpu_backend(*Environment::of(info.Env()).compute(), 1, "");
    SpanBatch batch = lay_out_spans(backend->kernels(), layout);
    return to_javascript(info.Env(), batch);
  });
}

}  // namespace

struct SpanBuilderObject::Builder {
  std::shared_ptr<Stream> stream;
  std::unique_ptr<Backend> backend;
  SpanBuilder spans;
  int32_t cls;
};

void SpanBuilderObject::define(Napi::Env env, Napi::Object exports) {
  exports["NativeSpanBuilder"] =
      DefineClass(env, "NativeSpanBuilder", {InstanceMethod<&SpanBuilderObject::build>("build")});
  exports["layOutSpans"] = Napi::Function::New<lay_out>(env, "layOutSpans");
}

/// new NativeSpanBuilder(options)
SpanBuilderObject::SpanBuilderObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SpanBuilderObject>(info) {
  guarded(info, [&] {
    SpanOptions options = to_span_options(info[0]);
    int threads = static_cast<int>(to_integer(info[0].As<Napi::Object>().Get("threads"), "threads", 1, 1024));
    std::shared_ptr<Stream> stream = Environment::of(info.Env()).compute();
    auto backend = make_cpu_backend(*stream, threads, "");
    int32_t cls = options.cls;
    builder_ = std::make_shared<Builder>(
        Builder{std::move(stream), std::move(backend), SpanBuilder(std::move(options)), cls});
    return info.Env().Undefined();
  });
}

/// build(rows, seed, index)
Napi::Value SpanBuilderObject::build(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto rows = std::make_shared<Rows>(to_rows(info[0], builder_->cls));
    uint64_t seed = static_cast<uint64_t>(to_integer(info[1], "seed"));
    int64_t index = to_integer(info[2], "index");
    Environment& environment = Environment::of(info.Env());
    auto batch = std::make_shared<SpanBatch>();
    auto settler = std::make_shared<Environment::Settler>(
        environment, info.Env(),
        [batch](Napi::Env env) -> Napi::Value { return to_javascript(env, *batch); });
    environment.background()->enqueue([builder = builder_, rows, seed, index, batch] {
      *batch = builder->spans.build(builder->backend->kernels(), rows->tokens, rows->offsets, seed, index);
    });
    environment.background()->checkpoint([settler](const Error* error) { settler->settle(error); });
    return settler->promise();
  });
}

}  // namespace glm::binding
