#include "ops/ops.h"

namespace glm {

VariablePtr random_normal(Context& context, const Shape& shape, double mean, double deviation, uint64_t seed,
                          uint64_t site, bool requires_gradient) {
  Tensor out(context.device, shape, DType::kFloat32);
  context.device->launch(RandomNormal{
      .elements = shape.elements(),
      .mean = static_cast<float>(mean),
      .deviation = static_cast<float>(deviation),
      .seed = seed,
      .site = site,
      .out = out.as<float>(),
  });
  return std::make_shared<Variable>(context.device, std::move(out), requires_gradient);
}

}  // namespace glm
