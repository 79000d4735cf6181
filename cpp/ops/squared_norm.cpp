#include "ops/ops.h"

namespace glm {

Tensor squared_norm(Context& context, const std::vector<Tensor>& tensors) {
  auto spans = std::make_shared<std::vector<FloatSpan>>();
  for (const Tensor& tensor : tensors) {
    require(tensor && tensor.dtype() == DType::kFloat32, Code::kInvalidArgument,
            "squaredNorm: expected float32 tensors, found ", tensor ? name_of(tensor.dtype()) : "none");
    spans->push_back({tensor.as<float>(), tensor.shape().elements()});
  }
  Tensor result(context.device, Shape{2}, DType::kFloat32);  // the 8 bytes of one float64
  context.device->launch(SquaredNorm{.tensors = spans->data(),
                                     .count = static_cast<int64_t>(spans->size()),
                                     .result = result.as<double>()},
                         spans);
  return result;
}

}  // namespace glm
