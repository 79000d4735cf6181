#pragma once

#include <memory>

#include "io/file_array.h"
#include "tensor/tensor.h"

namespace glm {

/// Enqueues reading the arrays into the beginning of a tensor.
void load_into(const Tensor& tensor, JoinedArrays arrays);

/// A tensor over the array where it lies in its file, or an empty one where that cannot be: another type,
/// rows that are not one behind the other, a device with memory of its own.
Tensor map_tensor(const std::shared_ptr<Device>& device, const FileArray& array);

}  // namespace glm
