#include "ops/check.h"
#include "ops/ops.h"

namespace glm {
namespace {

class LayerNorm final : public Node {
 public:
  LayerNorm(VariablePtr y, VariablePtr x, VariablePtr weight, VariablePtr bias, float epsilon)
      : Node(std::move(y)),
        x_(std::move(x)),
        weight_(std::move(weight)),
        bias_(std::move(bias)),
        mean_(x_->device(), Shape{x_->shape().rows()}, DType::kFloat32),
        rstd_(x_->device(), Shape{x_->shape().rows()}, DType::kFloat32),
        epsilon_(epsilon) {}

  bool cheap() const override { return true; }

  void forward() override {
    device().launch(LayerNormForward{
        .dtype = x_->dtype(),
        .rows = x_->shape().rows(),
        .width = x_->shape().last(),
        .epsilon = epsilon_,
        .x = x_->data(),
        .weight = weight_->data<float>(),
        .bias = bias_->data<float>(),
        .y = output().allocate(),
        .mean = mean_.as<float>(),
        .rstd = rstd_.as<float>(),
    });
  }

  void backward() override {
    const void* x = x_->data();
    Variable::GradientTarget grad_x = x_->gradient_target();
    device().launch(LayerNormBackward{
        .dtype = x_->dtype(),
        .rows = x_->shape().rows(),
        .width = x_->shape().last(),
        .x = x,
        .mean = mean_.as<float>(),
        .rstd = rstd_.as<float>(),
        .weight = weight_->data<float>(),
        .grad_y = output().gradient().data(),
        .accumulate = grad_x.accumulate,
        .grad_x = grad_x.data,
        .grad_weight = weight_->gradient_to_add(),
        .grad_bias = bias_->gradient_to_add(),
    });
  }

 private:
  VariablePtr x_, weight_, bias_;
  Tensor mean_, rstd_;
  float epsilon_;
};

}  // namespace

VariablePtr layer_norm(Context& context, const VariablePtr& x, const VariablePtr& weight,
                       const VariablePtr& bias, double epsilon) {
  check_activations(x, "layerNorm", "x");
  check(weight, "layerNorm", "weight", Shape{x->shape().last()}, DType::kFloat32);
  check(bias, "layerNorm", "bias", Shape{x->shape().last()}, DType::kFloat32);
  require(epsilon > 0, Code::kInvalidArgument, "layerNorm: expected epsilon above 0, found ", epsilon);
  auto y = std::make_shared<Variable>(context.device, x->shape(), x->dtype());
  return context.tape.apply(std::make_unique<LayerNorm>(y, x, weight, bias, static_cast<float>(epsilon)),
                            {&x, &weight, &bias});
}

}  // namespace glm
