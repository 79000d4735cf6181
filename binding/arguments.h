#pragma once

// Decoding of JavaScript values. Everything from JavaScript is checked here, before it is used.

#include <napi.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"
#include "base/shape.h"

namespace glm::binding {

inline double to_number(const Napi::Value& value, const char* name) {
  require(value.IsNumber(), Code::kInvalidArgument, "expected ", name, " to be a number");
  return value.As<Napi::Number>().DoubleValue();
}

inline int64_t to_integer(const Napi::Value& value, const char* name, int64_t least = 0,
                          int64_t most = int64_t{1} << 53) {
  double number = to_number(value, name);
  require(number >= static_cast<double>(least) && number <= static_cast<double>(most) &&
              number == std::floor(number),
          Code::kInvalidArgument, "expected ", name, " to be an integer from ", least, " to ", most,
          ", found ", number);
  return static_cast<int64_t>(number);
}

inline bool to_boolean(const Napi::Value& value, const char* name) {
  require(value.IsBoolean(), Code::kInvalidArgument, "expected ", name, " to be true or false");
  return value.As<Napi::Boolean>().Value();
}

inline std::string to_text(const Napi::Value& value, const char* name) {
  require(value.IsString(), Code::kInvalidArgument, "expected ", name, " to be a string");
  return value.As<Napi::String>().Utf8Value();
}

inline Napi::Object to_object(const Napi::Value& value, const char* name) {
  require(value.IsObject(), Code::kInvalidArgument, "expected ", name, " to be an object");
  return value.As<Napi::Object>();
}

inline bool is_absent(const Napi::Value& value) { return value.IsUndefined() || value.IsNull(); }

template <class T>
constexpr napi_typedarray_type typed_array_type();
template <>
constexpr napi_typedarray_type typed_array_type<float>() {
  return napi_float32_array;
}
template <>
constexpr napi_typedarray_type typed_array_type<int32_t>() {
  return napi_int32_array;
}
template <>
constexpr napi_typedarray_type typed_array_type<uint8_t>() {
  return napi_uint8_array;
}

constexpr const char* typed_array_name(napi_typedarray_type type) {
  return type == napi_float32_array ? "a Float32Array"
         : type == napi_int32_array ? "an Int32Array"
                                    : "a Uint8Array";
}

/// The elements of a typed array. Valid while no JavaScript runs.
template <class T>
struct Elements {
  const T* data;
  size_t size;
};

template <class T>
Elements<T> to_elements(const Napi::Value& value, const char* name) {
  constexpr napi_typedarray_type type = typed_array_type<T>();
  require(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type,
          Code::kInvalidArgument, "expected ", name, " to be ", typed_array_name(type));
  auto array = value.As<Napi::TypedArrayOf<T>>();
  return {array.Data(), array.ElementLength()};
}

template <class T>
std::vector<T> to_vector(const Napi::Value& value, const char* name) {
  Elements<T> elements = to_elements<T>(value, name);
  return std::vector<T>(elements.data, elements.data + elements.size);
}

inline Shape to_shape(const Napi::Value& value) {
  require(value.IsArray(), Code::kInvalidArgument, "expected a shape to be an array of integers");
  auto array = value.As<Napi::Array>();
  require(array.Length() <= Shape::kMaxRank, Code::kInvalidArgument, "expected a shape of at most ",
          Shape::kMaxRank, " dimensions, found ", array.Length());
  Shape shape;
  double elements = 1;
  for (uint32_t i = 0; i < array.Length(); i++) {
    shape.push(to_integer(array.Get(i), "a dimension", 0, int64_t{1} << 40));
    elements *= std::max(1.0, static_cast<double>(shape[static_cast<int>(i)]));
  }
  require(elements < 0x1p42, Code::kInvalidArgument, "expected a shape below 2^42 elements, found ",
          shape.str());
  return shape;
}

inline DType to_dtype(const Napi::Value& value) {
  std::string name = to_text(value, "a dtype");
  for (DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kFloat16, DType::kInt32, DType::kUInt8}) {
    if (name == name_of(dtype)) return dtype;
  }
  fail(Code::kInvalidArgument, "expected a dtype float32, bfloat16, float16, int32 or uint8, found \"", name,
       "\"");
}

}  // namespace glm::binding
