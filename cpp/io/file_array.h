#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"
#include "io/open_file.h"

namespace glm {

/// What checkpoints hold; a wider set than that of tensors.
enum class FileType : uint8_t { kFloat64, kFloat32, kFloat16, kBFloat16 };

constexpr int64_t size_of(FileType type) {
  return type == FileType::kFloat64 ? 8 : type == FileType::kFloat32 ? 4 : 2;
}

/// An array in a file: element [i, j, …] is the (i * strides[0] + j * strides[1] + …)-th behind byte `begin`.
struct FileArray {
  std::shared_ptr<const OpenFile> file;
  FileType type;
  int64_t begin;
  Shape shape, strides;
};

/// Arrays joined along an axis: together they are `shape`.
struct JoinedArrays {
  Shape shape;
  int axis;
  std::vector<FileArray> parts;
};

/// Reads the arrays, converted to `type` (to nearest even), into the dense row-major array at `out`. Memory
/// beside it: one row, at most 1 MiB. Throws kIo, kCorruptFile.
void read_arrays(const JoinedArrays& arrays, DType type, void* out);

}  // namespace glm
