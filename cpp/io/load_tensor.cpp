#include "io/load_tensor.h"

#include <utility>
#include <vector>

namespace glm {
namespace {

bool is_row_major(const FileArray& array) {
  int64_t stride = 1;
  for (int i = array.shape.rank() - 1; i >= 0; stride *= array.shape[i--]) {
    if (array.shape[i] != 1 && array.strides[i] != stride) return false;
  }
  return true;
}

}  // namespace

void load_into(const Tensor& tensor, JoinedArrays arrays) {
  Device& device = tensor.device();
  device.stream().enqueue(
      [&backend = device.backend(), arrays = std::move(arrays), to = tensor.data(), dtype = tensor.dtype()] {
        if (backend.uses_host_memory()) return read_arrays(arrays, dtype, to);
        std::vector<char> host(static_cast<size_t>(arrays.shape.elements() * size_of(dtype)));
        read_arrays(arrays, dtype, host.data());
        backend.perform([&] { backend.upload(to, host.data(), host.size()); });
      });
}

Tensor map_tensor(const std::shared_ptr<Device>& device, const FileArray& array) {
  if (!device->backend().uses_host_memory() || !is_row_major(array) || array.shape.elements() == 0 ||
      array.type == FileType::kFloat64 || array.begin % size_of(array.type) != 0) {
    return Tensor();
  }
  DType dtype = array.type == FileType::kFloat32   ? DType::kFloat32
                : array.type == FileType::kFloat16 ? DType::kFloat16
                                                   : DType::kBFloat16;
  size_t bytes = static_cast<size_t>(array.shape.elements() * size_of(dtype));
  std::shared_ptr<void> memory = array.file->map(array.begin, bytes);
  return memory == nullptr ? Tensor() : Tensor(device, array.shape, dtype, std::move(memory));
}

}  // namespace glm
