#include "ops/check.h"
#include "ops/dropout.h"
#include "ops/ops.h"

namespace glm {
namespace {

class Linear final : public Node {
 public:
  Linear(VariablePtr y, VariablePtr x, VariablePtr weight, VariablePtr bias, const LinearOptions& options)
      : Node(std::move(y)),
        x_(std::move(x)),
        weight_(std::move(weight)),
        bias_(std::move(bias)),
        residual_(options.residual),
        activation_(options.activation),
        dropout_(checked_dropout(options.dropout, "linear")) {}

  void forward() override {
    device().launch(LinearForward{
        .dtype = x_->dtype(),
        .weight_dtype = weight_->dtype(),
        .rows = x_->shape()[0],
        .in = x_->shape()[1],
        .out = weight_->shape()[0],
        .activation = activation_,
        .x = x_->data(),
        .weight = weight_->data(),
        .bias = bias_ ? bias_->data<float>() : nullptr,
        .residual = residual_ ? residual_->data() : nullptr,
        .dropout = dropout_,
        .y = output().allocate(),
    });
  }

  void backward() override {
    const void* x = x_->data();
    Variable::GradientTarget grad_x = x_->gradient_target();
    device().launch(LinearBackward{
        .dtype = x_->dtype(),
        .weight_dtype = weight_->dtype(),
        .rows = x_->shape()[0],
        .in = x_->shape()[1],
        .out = weight_->shape()[0],
        .activation = activation_,
        .x = x,
        .weight = weight_->data(),
        .dropout = dropout_,
        .grad_y = output().gradient().data(),
        .accumulate = grad_x.accumulate,
        .grad_x = grad_x.data,
        .grad_weight = weight_->gradient_to_add(),
        .grad_bias = bias_ ? bias_->gradient_to_add() : nullptr,
    });
    if (residual_) residual_->add_gradient(output().gradient());  // last: its memory may change hands
  }

 private:
  VariablePtr x_, weight_, bias_, residual_;
  Activation activation_;
  Dropout dropout_;
};

}  // namespace

VariablePtr linear(Context& context, const VariablePtr& x, const VariablePtr& weight, const VariablePtr& bias,
                   const LinearOptions& options) {
  check_activations(x, "linear", "x");
  check_weights(weight, "linear", "weight");
  require(weight->shape()[1] == x->shape()[1], Code::kInvalidArgument, "linear: expected weight [out, ",
          x->shape()[1], "] for x ", x->shape().str(), ", found ", weight->shape().str());
  Shape shape{x->shape()[0], weight->shape()[0]};
  if (bias) check(bias, "linear", "bias", Shape{shape[1]}, DType::kFloat32);
  if (options.residual) check(options.residual, "linear", "residual", shape, x->dtype());
  auto y = std::make_shared<Variable>(context.device, shape, x->dtype());
  return context.tape.apply(std::make_unique<Linear>(y, x, weight, bias, options),
                            {&x, &weight, &bias, &options.residual});
}

}  // namespace glm
