#include "ops/check.h"
#include "ops/ops.h"

namespace glm {
namespace {

class Lstm final : public Node {
 public:
  Lstm(VariablePtr out, LstmDirection forward, LstmDirection backward)
      : Node(std::move(out)), directions_{std::move(forward), std::move(backward)} {}

  void forward() override {
    int64_t steps = output().shape()[0], width = output().shape()[1] / 2;
    if (!states_) states_ = Tensor(output().device(), Shape{2 * steps, 5 * width}, DType::kFloat32);
    LstmForward params{.weight_dtype = directions_[0].weight->dtype(),
                       .steps = steps,
                       .width = width,
                       .states = states_.as<float>(),
                       .out = static_cast<float*>(output().allocate())};
    for (int d = 0; d < 2; d++) {
      params.gates[d] = directions_[d].gates->data<float>();
      params.weights[d] = directions_[d].weight->data();
      params.biases[d] = directions_[d].bias->data<float>();
    }
    device().launch(params);
  }

  void backward() override {
    LstmBackward params{.weight_dtype = directions_[0].weight->dtype(),
                        .steps = output().shape()[0],
                        .width = output().shape()[1] / 2,
                        .states = states_.as<float>(),
                        .out = output().tensor().as<float>(),
                        .grad_out = output().gradient().as<float>()};
    Tensor grad_gates[2];
    for (int d = 0; d < 2; d++) {
      const LstmDirection& direction = directions_[d];
      grad_gates[d] = Tensor(output().device(), direction.gates->shape(), DType::kFloat32);
      params.weights[d] = direction.weight->data();
      params.grad_gates[d] = grad_gates[d].as<float>();
      params.grad_weights[d] = direction.weight->gradient_to_add();
      params.grad_biases[d] = direction.bias->gradient_to_add();
    }
    device().launch(params);
    for (int d = 0; d < 2; d++) directions_[d].gates->add_gradient(grad_gates[d]);
  }

 private:
  LstmDirection directions_[2];
  Tensor states_;
};

}  // namespace

VariablePtr lstm(Context& context, const LstmDirection& forward, const LstmDirection& backward) {
  check_activations(forward.gates, "lstm", "gates");
  int64_t steps = forward.gates->shape()[0], width = forward.gates->shape()[1] / 4;
  for (const LstmDirection* direction : {&forward, &backward}) {
    check(direction->gates, "lstm", "gates", Shape{steps, 4 * width}, DType::kFloat32);
    check_weights(direction->weight, "lstm", "weight");
    check(direction->weight, "lstm", "weight", Shape{4 * width, width}, forward.weight->dtype());
    check(direction->bias, "lstm", "bias", Shape{4 * width}, DType::kFloat32);
  }
  auto out = std::make_shared<Variable>(context.device, Shape{steps, 2 * width}, DType::kFloat32);
  return context.tape.apply(
      std::make_unique<Lstm>(out, forward, backward),
      {&forward.gates, &forward.weight, &forward.bias, &backward.gates, &backward.weight, &backward.bias});
}

}  // namespace glm
