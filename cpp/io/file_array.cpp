// Arrays from files: split, transposed and in other types, in one pass over the file in its own order.
// Memory traffic: each byte of the file read once, each element of the result written once.

#include "io/file_array.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/half.h"

namespace glm {
namespace {

constexpr int64_t kBufferBytes = int64_t{1} << 20;

float to_float(double x) { return static_cast<float>(x); }
template <class To>
To from_float(float x);
template <>
float from_float<float>(float x) {
  return x;
}
template <>
bfloat16 from_float<bfloat16>(float x) {
  return to_bfloat16(x);
}
template <>
float16 from_float<float16>(float x) {
  return to_float16(x);
}

template <class Function>
void with_file_type(FileType type, const Function& function) {
  switch (type) {
    case FileType::kFloat64:
      return function(double{});
    case FileType::kFloat32:
      return function(float{});
    case FileType::kFloat16:
      return function(float16{});
    case FileType::kBFloat16:
      return function(bfloat16{});
  }
}

template <class Function>
void with_type(DType type, const Function& function) {
  switch (type) {
    case DType::kFloat32:
      return function(float{});
    case DType::kFloat16:
      return function(float16{});
    case DType::kBFloat16:
      return function(bfloat16{});
    case DType::kInt32:
    case DType::kUInt8:
      break;
  }
  fail(Code::kInvalidArgument, "expected weights as float32, bfloat16 or float16, found ", name_of(type));
}

/// One axis of a walk through the file and through the result.
struct Axis {
  int64_t count, from_stride, to_stride;
};

/// The axes in the order of the file, outermost first; neighbours that are contiguous in both are one.
std::vector<Axis> walk_of(const FileArray& array, const Shape& to_shape) {
  std::vector<Axis> axes;
  int64_t to_stride = 1;
  for (int i = array.shape.rank() - 1; i >= 0; to_stride *= to_shape[i--]) {
    if (array.shape[i] != 1) axes.push_back({array.shape[i], array.strides[i], to_stride});
  }
  std::stable_sort(axes.begin(), axes.end(),
                   [](const Axis& a, const Axis& b) { return a.from_stride < b.from_stride; });
  std::vector<Axis> joined;  // innermost first
  for (const Axis& axis : axes) {
    if (!joined.empty()) {
      Axis& inner = joined.back();
      if (axis.from_stride == inner.count * inner.from_stride &&
          axis.to_stride == inner.count * inner.to_stride) {
        inner.count *= axis.count;
        continue;
      }
    }
    joined.push_back(axis);
  }
  if (joined.empty()) joined.push_back({1, 1, 1});
  std::reverse(joined.begin(), joined.end());
  return joined;
}

template <class From, class To>
class Reader {
 public:
  Reader(const FileArray& array, std::vector<Axis> axes) : array_(array), axes_(std::move(axes)) {}

  void read(To* out) { walk(0, 0, out); }

 private:
  void walk(size_t depth, int64_t from, To* out) {
    const Axis& axis = axes_[depth];
    if (depth + 1 == axes_.size()) return row(axis, from, out);
    for (int64_t i = 0; i < axis.count; i++) {
      walk(depth + 1, from + i * axis.from_stride, out + i * axis.to_stride);
    }
  }

  void row(const Axis& axis, int64_t from, To* out) {
    if (std::is_same_v<From, To> && axis.from_stride == 1 && axis.to_stride == 1) {
      return load(from, axis.count, out);
    }
    int64_t room = kBufferBytes / static_cast<int64_t>(sizeof(From));
    int64_t step = std::max(int64_t{1}, room / std::max(int64_t{1}, axis.from_stride));
    for (int64_t begin = 0; begin < axis.count; begin += step) {
      int64_t count = std::min(step, axis.count - begin);
      buffer_.resize(static_cast<size_t>((count - 1) * axis.from_stride + 1));
      load(from + begin * axis.from_stride, static_cast<int64_t>(buffer_.size()), buffer_.data());
      convert(buffer_.data(), axis.from_stride, out + begin * axis.to_stride, axis.to_stride, count);
    }
  }

  static void convert(const From* from, int64_t from_stride, To* to, int64_t to_stride, int64_t count) {
    auto element = [](From x) {
      if constexpr (std::is_same_v<From, To>) {
        return x;
      } else {
        return from_float<To>(to_float(x));
      }
    };
    if (from_stride == 1 && to_stride == 1) {
      for (int64_t i = 0; i < count; i++) to[i] = element(from[i]);
    } else {
      for (int64_t i = 0; i < count; i++) to[i * to_stride] = element(from[i * from_stride]);
    }
  }

  template <class T>
  void load(int64_t element, int64_t count, T* out) {
    array_.file->read(array_.begin + element * static_cast<int64_t>(sizeof(From)), out,
                      static_cast<size_t>(count) * sizeof(From));
  }

  const FileArray& array_;
  std::vector<Axis> axes_;
  std::vector<From> buffer_;
};

}  // namespace

void read_arrays(const JoinedArrays& arrays, DType type, void* out) {
  int64_t stride = 1;
  for (int i = arrays.shape.rank() - 1; i > arrays.axis; i--) stride *= arrays.shape[i];
  int64_t place = 0;
  for (const FileArray& part : arrays.parts) {
    with_file_type(part.type, [&](auto from) {
      with_type(type, [&](auto to) {
        using From = decltype(from);
        using To = decltype(to);
        if (part.shape.elements() > 0) {
          Reader<From, To>(part, walk_of(part, arrays.shape)).read(static_cast<To*>(out) + place * stride);
        }
      });
    });
    if (part.shape.rank() > 0) place += part.shape[arrays.axis];
  }
}

}  // namespace glm
