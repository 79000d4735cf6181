#include "ops/check.h"
#include "ops/ops.h"

namespace glm {
namespace {

class CastNode final : public Node {
 public:
  CastNode(VariablePtr out, VariablePtr x) : Node(std::move(out)), x_(std::move(x)) {}

  void forward() override { convert(x_->tensor(), output().allocate(), output().dtype()); }

  void backward() override {
    Tensor grad_x(x_->device(), x_->shape(), x_->dtype());
    convert(output().gradient(), grad_x.data(), grad_x.dtype());
    x_->add_gradient(grad_x);
  }

 private:
  void convert(const Tensor& x, void* out, DType to) {
    device().launch(
        Cast{.from = x.dtype(), .to = to, .elements = x.shape().elements(), .x = x.data(), .out = out});
  }

  VariablePtr x_;
};

}  // namespace

VariablePtr cast(Context& context, const VariablePtr& x, DType dtype) {
  check_activations(x, "cast", "x");
  require(dtype == DType::kFloat32 || dtype == DType::kBFloat16, Code::kInvalidArgument,
          "cast: expected float32 or bfloat16, found ", name_of(dtype));
  if (x->dtype() == dtype) return x;
  auto out = std::make_shared<Variable>(context.device, x->shape(), dtype);
  return context.tape.apply(std::make_unique<CastNode>(out, x), {&x});
}

Tensor copy_as(DType dtype, const Tensor& x, const std::shared_ptr<Device>& device) {
  require(dtype == DType::kFloat32 || dtype == DType::kBFloat16, Code::kInvalidArgument,
          "expected float32 or bfloat16 to copy to, found ", name_of(dtype));
  require(dtype == x.dtype() || size_of(x.dtype()) == 2 || x.dtype() == DType::kFloat32,
          Code::kInvalidArgument, "expected float32, bfloat16 or float16 to copy from, found ",
          name_of(x.dtype()));
  Tensor copy(device, x.shape(), dtype);
  device->launch(Cast{
      .from = x.dtype(), .to = dtype, .elements = x.shape().elements(), .x = x.data(), .out = copy.data()});
  return copy;
}

}  // namespace glm
