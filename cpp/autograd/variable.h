#pragma once

#include <memory>

#include "tensor/tensor.h"

namespace glm {

class Node;
class Variable;
using VariablePtr = std::shared_ptr<Variable>;

/// A value in a computation: a tensor, where it came from, and the gradient that flows back to it.
///
/// The tensor of a recorded value can be released and is rebuilt, bit for bit, by running its producer again
/// when the backward asks for it. Cheap values (layer norm) are released as soon as the forward is done with
/// them; all values of a checkpointed region are. That is the whole of activation checkpointing.
class Variable {
 public:
  /// A value that an op has yet to compute; memory comes with `allocate`.
  Variable(std::shared_ptr<Device> device, const Shape& shape, DType dtype)
      : device_(std::move(device)), shape_(shape), dtype_(dtype) {}
  /// A leaf: an input, or a parameter.
  Variable(std::shared_ptr<Device> device, Tensor tensor, bool requires_gradient)
      : device_(std::move(device)),
        shape_(tensor.shape()),
        dtype_(tensor.dtype()),
        tensor_(std::move(tensor)),
        requires_gradient_(requires_gradient) {}

  const std::shared_ptr<Device>& device() const { return device_; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  bool requires_gradient() const { return requires_gradient_; }
  /// Of a leaf, for the ops that come.
  void require_gradient(bool required) { requires_gradient_ = required; }

  /// The tensor, rebuilt if it had been released.
  const Tensor& tensor();
  template <class T = void>
  T* data() {
    return tensor().as<T>();
  }
  /// Memory for the producer to write to.
  void* allocate();
  /// Lets go of the tensor if it can be rebuilt. Called when the forward needs it no more.
  void release();
  void allow_release() { releasable_ = true; }

  const Tensor& gradient() const { return gradient_; }
  void set_gradient(Tensor gradient) { gradient_ = std::move(gradient); }
  void clear_gradient() { gradient_ = Tensor(); }

  /// Where a kernel puts this value's gradient: `accumulate` says whether something is there already.
  struct GradientTarget {
    void* data;
    bool accumulate;
  };
  GradientTarget gradient_target();
  /// A parameter's gradient, always float32, for kernels that only add: zeros if nothing is there yet. Null
  /// when no gradient is wanted.
  float* gradient_to_add();
  /// Adds a gradient that is in memory already. If it is the first, its memory is taken over.
  void add_gradient(const Tensor& gradient);

 private:
  friend class Node;
  friend class Tape;

  std::shared_ptr<Device> device_;
  Shape shape_;
  DType dtype_;
  Tensor tensor_;
  Tensor gradient_;
  Node* producer_ = nullptr;  // owned by the tape
  bool requires_gradient_ = false;
  bool releasable_ = false;
};

}  // namespace glm
