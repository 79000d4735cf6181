#include "ops/check.h"
#include "ops/ops.h"

namespace glm {
namespace {

class GatherRowsNode final : public Node {
 public:
  GatherRowsNode(VariablePtr out, PackedBatchPtr batch, VariablePtr x)
      : Node(std::move(out)), batch_(std::move(batch)), x_(std::move(x)) {}

  void forward() override {
    device().launch(GatherRows{
        .dtype = x_->dtype(),
        .rows = batch_->row_count(),
        .width = x_->shape()[1],
        .x = x_->data(),
        .indices = batch_->rows.as<int32_t>(),
        .out = output().allocate(),
    });
  }

  void backward() override {
    Tensor grad_x(x_->device(), x_->shape(), x_->dtype());
    device().launch(ScatterRows{
        .dtype = x_->dtype(),
        .rows = batch_->row_count(),
        .width = x_->shape()[1],
        .out_rows = x_->shape()[0],
        .x = output().gradient().data(),
        .indices = batch_->rows.as<int32_t>(),
        .out = grad_x.data(),
    });
    x_->add_gradient(grad_x);
  }

 private:
  PackedBatchPtr batch_;
  VariablePtr x_;
};

}  // namespace

VariablePtr gather_rows(Context& context, const PackedBatchPtr& batch, const VariablePtr& x) {
  check_activations(x, "gatherRows", "x");
  require(x->shape()[0] == batch->tokens(), Code::kInvalidArgument, "gatherRows: expected x with ",
          batch->tokens(), " rows, one per token of the batch, found ", x->shape().str());
  auto out = std::make_shared<Variable>(context.device, Shape{batch->row_count(), x->shape()[1]}, x->dtype());
  return context.tape.apply(std::make_unique<GatherRowsNode>(out, batch, x), {&x});
}

}  // namespace glm
