#include "ops/check.h"
#include "ops/ops.h"

namespace glm {
namespace {

class CrossEntropyNode final : public Node {
 public:
  CrossEntropyNode(VariablePtr losses, PackedBatchPtr batch, VariablePtr hidden, VariablePtr words,
                   const CrossEntropyOptions& options)
      : Node(std::move(losses)),
        batch_(std::move(batch)),
        hidden_(std::move(hidden)),
        words_(std::move(words)),
        options_(options) {}

  bool repeatable() const override { return false; }  // it has added to the gradient of `words`

  void forward() override {
    if (recorded() && hidden_->requires_gradient()) {
      grad_hidden_ = Tensor(hidden_->device(), hidden_->shape(), hidden_->dtype());
    }
    device().launch(CrossEntropy{
        .dtype = hidden_->dtype(),
        .weight_dtype = words_->dtype(),
        .rows = hidden_->shape()[0],
        .width = hidden_->shape()[1],
        .vocabulary = words_->shape()[0],
        .hidden = hidden_->data(),
        .targets = batch_->targets.as<int32_t>(),
        .weights = batch_->host->weights.empty() ? nullptr : batch_->weights.as<float>(),
        .words = words_->data(),
        .smoothing = static_cast<float>(options_.smoothing),
        .gradient_scale = static_cast<float>(options_.gradient_scale),
        .losses = static_cast<float*>(output().allocate()),
        .grad_hidden = grad_hidden_.data(),
        .grad_words = recorded() ? words_->gradient_to_add() : nullptr,
    });
  }

  void backward() override {
    if (grad_hidden_) hidden_->add_gradient(grad_hidden_);
  }

 private:
  PackedBatchPtr batch_;
  VariablePtr hidden_, words_;
  CrossEntropyOptions options_;
  Tensor grad_hidden_;
};

}  // namespace

VariablePtr cross_entropy(Context& context, const PackedBatchPtr& batch, const VariablePtr& hidden,
                          const VariablePtr& words, const CrossEntropyOptions& options) {
  check_activations(hidden, "crossEntropy", "hidden");
  check_weights(words, "crossEntropy", "words");
  check_rows(words, "crossEntropy", "words", batch->limits.vocabulary);
  require(hidden->shape()[0] == batch->row_count() && hidden->shape()[1] == words->shape()[1],
          Code::kInvalidArgument, "crossEntropy: expected hidden [", batch->row_count(), ", ",
          words->shape()[1], "], found ", hidden->shape().str());
  require(batch->host->targets.size() == batch->host->rows.size(), Code::kInvalidArgument,
          "crossEntropy: expected a batch with targets, found one without; give targets and lossMask");
  require(options.smoothing >= 0 && options.smoothing < 1, Code::kInvalidArgument,
          "crossEntropy: expected label smoothing in [0, 1), found ", options.smoothing);
  auto losses = std::make_shared<Variable>(context.device, Shape{batch->row_count()}, DType::kFloat32);
  return context.tape.apply(std::make_unique<CrossEntropyNode>(losses, batch, hidden, words, options),
                            {&hidden, &words});
}

}  // namespace glm
