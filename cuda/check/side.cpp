#include "check/side.h"

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "base/philox.h"

namespace glm::check {
namespace {

/// [-size, size), by the number of the buffer and the place in it.
float number_at(uint32_t buffer, int64_t i, float size) {
  return (2 * uniform_from(philox(buffer, static_cast<uint64_t>(i), 0).word[0]) - 1) * size;
}

template <class T>
T read(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

std::vector<char> as_type(DType dtype, const std::vector<float>& values) {
  std::vector<char> bytes(values.size() * static_cast<size_t>(size_of(dtype)));
  char* at = bytes.data();
  for (float value : values) {
    if (dtype == DType::kFloat32) {
      std::memcpy(at, &value, 4);
    } else {
      uint16_t bits = dtype == DType::kBFloat16 ? to_bfloat16(value).bits : to_float16(value).bits;
      std::memcpy(at, &bits, 2);
    }
    at += size_of(dtype);
  }
  return bytes;
}

}  // namespace

void* Side::input(DType dtype, int64_t elements, float size) {
  std::vector<float> values(static_cast<size_t>(elements));
  for (int64_t i = 0; i < elements; i++) values[static_cast<size_t>(i)] = number_at(buffers_, i, size);
  buffers_++;
  std::vector<char> bytes = as_type(dtype, values);
  return place(bytes.data(), bytes.size());
}

int32_t* Side::integers(int64_t elements, int64_t limit) {
  std::vector<int32_t> values(static_cast<size_t>(elements));
  for (int64_t i = 0; i < elements; i++) {
    uint64_t word = philox(buffers_, static_cast<uint64_t>(i), 1).word[0];
    values[static_cast<size_t>(i)] = static_cast<int32_t>(word * static_cast<uint64_t>(limit) >> 32);
  }
  buffers_++;
  return copy(values);
}

void* Side::result(std::string name, DType dtype, int64_t elements, bool added_to) {
  void* data;
  if (added_to) {
    data = input(dtype, elements);
  } else {
    std::vector<char> poison(static_cast<size_t>(elements * size_of(dtype)), '\xff');
    data = place(poison.data(), poison.size());
  }
  outputs_.push_back({std::move(name), dtype, elements, data});
  return data;
}

double* Side::doubles(std::string name, int64_t elements) {
  double* data = copy(std::vector<double>(static_cast<size_t>(elements), NAN));
  outputs_.push_back({std::move(name), DType::kFloat32, elements, data, true});
  return data;
}

std::vector<Side::Result> Side::results() const {
  std::vector<Result> results;
  for (const Output& output : outputs_) {
    int64_t size = output.is_double ? 8 : size_of(output.dtype);
    std::vector<char> bytes(static_cast<size_t>(output.elements * size));
    fetch(bytes.data(), output.data, bytes.size());
    Result result{output.name, {}, output.is_double};
    for (int64_t i = 0; i < output.elements; i++) {
      const char* at = bytes.data() + i * size;
      result.values.push_back(output.is_double                   ? read<double>(at)
                              : output.dtype == DType::kBFloat16 ? to_float(read<bfloat16>(at))
                              : output.dtype == DType::kInt32    ? read<int32_t>(at)
                                                                 : read<float>(at));
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace glm::check
