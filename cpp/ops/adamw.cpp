#include <cmath>

#include "ops/ops.h"

namespace glm {
namespace {

void check_moment(const Tensor& moment, const Variable& parameter, const char* name) {
  require(moment && moment.dtype() == DType::kFloat32 && moment.shape() == parameter.shape(),
          Code::kInvalidArgument, "adamw: expected the ", name, " moment to be float32 ",
          parameter.shape().str(), ", found ", moment ? moment.shape().str() : "none");
}

}  // namespace

void adamw(Context& context, const std::vector<AdamWParameter>& parameters, const AdamWOptions& options) {
  require(options.step >= 1, Code::kInvalidArgument, "adamw: expected a step from 1 on, found ",
          options.step);
  auto tensors = std::make_shared<std::vector<AdamWTensor>>();
  for (const AdamWParameter& p : parameters) {
    Variable& parameter = *p.parameter;
    Variable& computed_with = p.copy ? *p.copy : parameter;
    const Tensor& gradient = computed_with.gradient();
    require(parameter.dtype() == DType::kFloat32 && gradient && gradient.dtype() == DType::kFloat32,
            Code::kInvalidArgument, "adamw: expected float32 parameters with a float32 gradient, found a ",
            name_of(parameter.dtype()), " tensor ", parameter.shape().str(),
            gradient ? text(" with one in ", name_of(gradient.dtype())) : " without one");
    require(!p.copy || (p.copy->dtype() == DType::kBFloat16 && p.copy->shape() == parameter.shape()),
            Code::kInvalidArgument, "adamw: expected the copy to be bfloat16 ", parameter.shape().str(),
            ", found ", name_of(computed_with.dtype()), " ", computed_with.shape().str());
    check_moment(p.first_moment, parameter, "first");
    check_moment(p.second_moment, parameter, "second");
    tensors->push_back({
        .parameter = parameter.data<float>(),
        .gradient = gradient.as<float>(),
        .first_moment = p.first_moment.as<float>(),
        .second_moment = p.second_moment.as<float>(),
        .low_precision = p.copy ? p.copy->data() : nullptr,
        .elements = parameter.shape().elements(),
        .decay = p.decay,
    });
  }
  auto correction = [&](double beta) {
    return static_cast<float>(1 - std::pow(beta, static_cast<double>(options.step)));
  };
  context.device->launch(
      AdamW{
          .tensors = tensors->data(),
          .count = static_cast<int64_t>(tensors->size()),
          .rate = static_cast<float>(options.rate),
          .beta1 = static_cast<float>(options.beta1),
          .beta2 = static_cast<float>(options.beta2),
          .epsilon = static_cast<float>(options.epsilon),
          .weight_decay = static_cast<float>(options.weight_decay),
          .complement1 = static_cast<float>(1 - options.beta1),
          .complement2 = static_cast<float>(1 - options.beta2),
          .correction1 = correction(options.beta1),
          .correction2 = correction(options.beta2),
          .gradient_scale = static_cast<float>(options.gradient_scale),
      },
      tensors);
}

}  // namespace glm
