#pragma once

#include <initializer_list>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace glm {

/// Host arrays that travel to a device in one copy, and lie there one behind the other.
class Parcel {
 public:
  template <class T>
  void add(const std::vector<T>& array, DType dtype = DType::kInt32) {
    constexpr size_t kAlignment = 64;
    places_.push_back(
        {bytes_->size(), static_cast<int64_t>(array.size() * sizeof(T)) / size_of(dtype), dtype});
    const char* bytes = reinterpret_cast<const char*>(array.data());
    bytes_->insert(bytes_->end(), bytes, bytes + array.size() * sizeof(T));
    bytes_->resize((bytes_->size() + kAlignment - 1) / kAlignment * kAlignment);
  }

  /// Enqueues the copy to memory of its own, which is returned; nothing is added any more. Each of `parts`,
  /// in the order in which arrays were added, becomes one of them.
  Tensor send(const std::shared_ptr<Device>& device, std::initializer_list<Tensor*> parts) const {
    Tensor arrays(device, Shape{static_cast<int64_t>(bytes_->size())}, DType::kUInt8);
    send_to(arrays);
    const Place* place = places_.data();
    for (Tensor* part : parts) {
      *part = arrays.part(place->offset, Shape{place->elements}, place->dtype);
      place++;
    }
    return arrays;
  }
  /// The same, to where a parcel with as much in it has been sent.
  void send_to(const Tensor& arrays) const { upload(arrays, bytes_, bytes_->data()); }

 private:
  struct Place {
    size_t offset;
    int64_t elements;
    DType dtype;
  };
  std::shared_ptr<std::vector<char>> bytes_ = std::make_shared<std::vector<char>>();
  std::vector<Place> places_;
};

}  // namespace glm
