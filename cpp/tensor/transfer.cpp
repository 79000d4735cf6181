#include "tensor/tensor.h"

namespace glm {

void upload(const Tensor& tensor, std::shared_ptr<const void> host, const void* bytes) {
  Device& device = tensor.device();
  device.stream().enqueue([&backend = device.backend(), to = tensor.data(), bytes, size = tensor.bytes(),
                           host = std::move(host)] { backend.upload(to, bytes, size); });
}

void download(const Tensor& tensor, void* host, std::function<void(const Error*)> done) {
  Device& device = tensor.device();
  device.stream().enqueue([&backend = device.backend(), host, from = tensor.data(), size = tensor.bytes()] {
    backend.download(host, from, size);
  });
  device.stream().checkpoint(std::move(done));
}

}  // namespace glm
