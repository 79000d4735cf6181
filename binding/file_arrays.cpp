#include "file_arrays.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "arguments.h"
#include "environment.h"

namespace glm::binding {
namespace {

FileType to_file_type(const Napi::Value& value) {
  std::string name = to_text(value, "an array's type");
  if (name == "F64") return FileType::kFloat64;
  if (name == "F32") return FileType::kFloat32;
  if (name == "F16") return FileType::kFloat16;
  if (name == "BF16") return FileType::kBFloat16;
  fail(Code::kInvalidArgument, "expected an array of type F64, F32, F16 or BF16, found \"", name, "\"");
}

}  // namespace

FileArray to_file_array(const Napi::Value& value) {
  Napi::Object object = to_object(value, "an array in a file");
  int descriptor = static_cast<int>(to_integer(object.Get("descriptor"), "descriptor", 0, 1 << 30));
  FileArray array{.file = std::make_shared<const OpenFile>(descriptor),
                  .type = to_file_type(object.Get("type")),
                  .begin = to_integer(object.Get("begin"), "begin"),
                  .shape = to_shape(object.Get("shape")),
                  .strides = to_shape(object.Get("strides"))};
  require(array.shape.rank() == array.strides.rank(), Code::kInvalidArgument,
          "expected an array with a stride for each dimension, found shape ", array.shape.str(),
          " and strides ", array.strides.str());
  return array;
}

JoinedArrays to_joined_arrays(const Napi::Value& value) {
  Napi::Object object = to_object(value, "arrays");
  JoinedArrays arrays{
      .shape = to_shape(object.Get("shape")),
      .axis = static_cast<int>(to_integer(object.Get("axis"), "axis", 0, Shape::kMaxRank - 1)),
      .parts = {}};
  require(object.Get("parts").IsArray(), Code::kInvalidArgument, "expected the parts to be an array");
  auto parts = object.Get("parts").As<Napi::Array>();
  int64_t extent = 0;
  for (uint32_t i = 0; i < parts.Length(); i++) {
    FileArray part = to_file_array(parts.Get(i));
    bool fits = part.shape.rank() == arrays.shape.rank();
    for (int axis = 0; fits && axis < part.shape.rank(); axis++) {
      fits = axis == arrays.axis || part.shape[axis] == arrays.shape[axis];
    }
    require(fits, Code::kInvalidArgument, "expected the parts of ", arrays.shape.str(), " along axis ",
            arrays.axis, ", found ", part.shape.str());
    extent += part.shape.rank() == 0 ? 0 : part.shape[arrays.axis];
    arrays.parts.push_back(std::move(part));
  }
  require(arrays.shape.rank() > arrays.axis && extent == arrays.shape[arrays.axis], Code::kInvalidArgument,
          "expected parts that make up ", arrays.shape.str(), " along axis ", arrays.axis, ", found ",
          extent);
  return arrays;
}

Napi::Value read_file_arrays(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    Napi::Env env = info.Env();
    auto arrays = std::make_shared<const JoinedArrays>(to_joined_arrays(info[0]));
    DType dtype = to_dtype(info[1]);
    size_t bytes = static_cast<size_t>(arrays->shape.elements() * size_of(dtype));
    Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes);
    Napi::Value result = Napi::Uint8Array::New(env, bytes, buffer, 0);
    auto keep = std::make_shared<Napi::Reference<Napi::Value>>(Napi::Reference<Napi::Value>::New(result, 1));
    auto settler = std::make_shared<Environment::Settler>(Environment::of(env), env,
                                                          [keep](Napi::Env) { return keep->Value(); });
    Stream& stream = *Environment::of(env).background();
    stream.enqueue([arrays, dtype, out = buffer.Data()] { read_arrays(*arrays, dtype, out); });
    stream.checkpoint([settler](const Error* error) { settler->settle(error); });
    return settler->promise();
  });
}

}  // namespace glm::binding
