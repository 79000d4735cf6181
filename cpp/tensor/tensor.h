#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"
#include "base/shape.h"
#include "tensor/device.h"

namespace glm {

/// A block of a device's memory, given back when the last tensor lets go of it.
class Storage {
 public:
  Storage(std::shared_ptr<Device> device, size_t bytes)
      : device_(std::move(device)),
        bytes_(bytes),
        recorded_(device_->recording() ? device_->recording()->where() : RecordedIn{}),
        address_(recorded_.memory ? recorded_.memory->allocate(bytes)
                                  : device_->allocator().allocate(bytes)) {}
  /// Memory from elsewhere: a mapped file.
  Storage(std::shared_ptr<Device> device, size_t bytes, std::shared_ptr<void> memory)
      : device_(std::move(device)), bytes_(bytes), address_(memory.get()), foreign_(std::move(memory)) {}
  ~Storage() {
    if (foreign_) {
      device_->stream().enqueue([memory = std::move(foreign_)] {});  // behind what uses it
    } else if (recorded_.memory) {
      recorded_.memory->release(address_);
    } else {
      device_->allocator().release(address_);
    }
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device& device() const { return *device_; }
  void* address() const { return address_; }
  size_t bytes() const { return bytes_; }
  bool is_foreign() const { return foreign_ != nullptr; }
  bool is_recorded_in(const Recording& recording) const {
    return recorded_.number == recording.where().number;
  }

 private:
  std::shared_ptr<Device> device_;
  size_t bytes_;
  RecordedIn recorded_;
  void* address_;
  std::shared_ptr<void> foreign_;
};

/// A dense row-major array on a device. Copies share the storage. Without storage it is empty: `!tensor`.
class Tensor {
 public:
  Tensor() = default;
  /// Undefined contents.
  Tensor(const std::shared_ptr<Device>& device, const Shape& shape, DType dtype)
      : storage_(std::make_shared<Storage>(device, static_cast<size_t>(shape.elements() * size_of(dtype)))),
        shape_(shape),
        dtype_(dtype) {}
  /// Over memory that the device can use and that is not its allocator's.
  Tensor(const std::shared_ptr<Device>& device, const Shape& shape, DType dtype, std::shared_ptr<void> memory)
      : storage_(std::make_shared<Storage>(device, static_cast<size_t>(shape.elements() * size_of(dtype)),
                                           std::move(memory))),
        shape_(shape),
        dtype_(dtype) {}

  explicit operator bool() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  size_t bytes() const { return static_cast<size_t>(shape_.elements() * size_of(dtype_)); }
  Device& device() const { return storage_->device(); }
  /// What begins `offset` bytes behind its first, in the same storage.
  Tensor part(size_t offset, const Shape& shape, DType dtype) const {
    Tensor tensor = *this;
    tensor.offset_ += offset;
    tensor.shape_ = shape;
    tensor.dtype_ = dtype;
    return tensor;
  }

  /// Keeps the memory as long as the recording that is under way, unless it is the recording's own.
  void keep_for(Recording& recording) const {
    if (storage_ && !storage_->is_recorded_in(recording)) recording.keep(storage_);
  }

  /// Whether it lies in a mapped file.
  bool is_mapped() const { return storage_ && storage_->is_foreign(); }

  void* data() const { return storage_ ? static_cast<char*>(storage_->address()) + offset_ : nullptr; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data());
  }

 private:
  std::shared_ptr<Storage> storage_;
  size_t offset_ = 0;
  Shape shape_;
  DType dtype_ = DType::kFloat32;
};

/// Enqueues a copy of host bytes into the tensor; `host` is kept until it has run.
void upload(const Tensor& tensor, std::shared_ptr<const void> host, const void* bytes);

/// Enqueues a copy of the tensor's bytes to `host`, which must live until `done` has been called with the
/// first error since the last checkpoint, or null. `done` runs on the stream's thread.
void download(const Tensor& tensor, void* host, std::function<void(const Error*)> done);

/// A one-dimensional tensor with the contents of a host array.
template <class T>
Tensor to_device(const std::shared_ptr<Device>& device, DType dtype,
                 std::shared_ptr<const std::vector<T>> host) {
  Tensor tensor(device, Shape{static_cast<int64_t>(host->size())}, dtype);
  const void* bytes = host->data();
  upload(tensor, std::move(host), bytes);
  return tensor;
}

}  // namespace glm
