#include "tensor/tensor.h"

namespace glm {

void upload(const Tensor& tensor, std::shared_ptr<const void> host, const void* bytes) {
  Device& device = tensor.device();
  device.check_not_recording();
  device.stream().enqueue(
      [&backend = device.backend(), to = tensor.data(), bytes, size = tensor.bytes(),
       host = std::move(host)] { backend.perform([&] { backend.upload(to, bytes, size); }); });
}

// The stream goes on while the bytes are on their way: another thread waits for them.
void download(const Tensor& tensor, void* host, std::function<void(const Error*)> done) {
  Device& device = tensor.device();
  device.check_not_recording();
  auto pending = std::make_shared<std::shared_ptr<Download>>();
  device.stream().enqueue(
      [&backend = device.backend(), host, from = tensor.data(), size = tensor.bytes(), pending] {
        backend.perform([&] { *pending = backend.download(host, from, size); });
      });
  device.stream().checkpoint([&device, pending, done = std::move(done)](const Error* error) {
    if (error != nullptr || *pending == nullptr) return done(error);
    device.arrivals().enqueue([download = *pending] {
      if (std::optional<Error> failure = download->finish()) throw Error(*failure);
    });
    device.arrivals().checkpoint(done);
  });
}

}  // namespace glm
