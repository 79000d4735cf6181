#include "autograd/variable.h"

#include "autograd/tape.h"

namespace glm {

const Tensor& Variable::tensor() {
  if (!tensor_) {
    require(producer_ != nullptr, Code::kDisposed,
            "expected a tensor with a value, found one that was disposed");
    producer_->forward();
  }
  return tensor_;
}

void* Variable::allocate() {
  if (!tensor_) tensor_ = Tensor(device_, shape_, dtype_);
  return tensor_.data();
}

void Variable::release() {
  if (producer_ == nullptr || !producer_->repeatable()) return;
  if (releasable_ || producer_->cheap()) tensor_ = Tensor();
}

Variable::GradientTarget Variable::gradient_target() {
  if (!requires_gradient_) return {nullptr, false};
  bool exists = static_cast<bool>(gradient_);
  if (!exists) gradient_ = Tensor(device_, shape_, dtype_);
  return {gradient_.data(), exists};
}

float* Variable::gradient_to_add() {
  if (!requires_gradient_) return nullptr;
  if (!gradient_) {
    gradient_ = Tensor(device_, shape_, DType::kFloat32);  // of a parameter, whatever its own type
    device_->launch(Zero{gradient_.data(), static_cast<int64_t>(gradient_.bytes())});
  }
  return gradient_.as<float>();
}

void Variable::add_gradient(const Tensor& gradient) {
  if (!requires_gradient_) return;
  if (!gradient_) {
    gradient_ = gradient;
    return;
  }
  device_->launch(Add{dtype_, shape_.elements(), gradient.data(), gradient_.data()});
}

}  // namespace glm
