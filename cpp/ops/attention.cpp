#include <cmath>

#include "ops/check.h"
#include "ops/dropout.h"
#include "ops/ops.h"

namespace glm {
namespace {

class Attention final : public Node {
 public:
  Attention(VariablePtr out, PackedBatchPtr batch, VariablePtr qkv, const AttentionOptions& options)
      : Node(std::move(out)),
        batch_(std::move(batch)),
        qkv_(std::move(qkv)),
        rotary_(options.rotary),
        heads_(options.heads),
        head_width_(static_cast<int>(output().shape()[1] / options.heads)),
        log_sum_exp_(qkv_->device(), Shape{options.heads, batch_->tokens()}, DType::kFloat32),
        dropout_(checked_dropout(options.dropout, "attention")) {}

  void forward() override {
    device().launch(
        AttentionForward{
            .dtype = qkv_->dtype(),
            .layout = batch_->layout(),
            .heads = heads_,
            .head_width = head_width_,
            .scale = scale(),
            .qkv = qkv_->data(),
            .rotary = rotary(),
            .positions = batch_->positions.as<int32_t>(),
            .block_positions = batch_->block_positions.as<int32_t>(),
            .dropout = dropout_,
            .out = output().allocate(),
            .log_sum_exp = log_sum_exp_.as<float>(),
        },
        batch_->host);
  }

  void backward() override {
    const void* qkv = qkv_->data();
    const void* out = output().data();
    Tensor grad_qkv(qkv_->device(), qkv_->shape(), qkv_->dtype());
    device().launch(
        AttentionBackward{
            .dtype = qkv_->dtype(),
            .layout = batch_->layout(),
            .heads = heads_,
            .head_width = head_width_,
            .scale = scale(),
            .qkv = qkv,
            .rotary = rotary(),
            .positions = batch_->positions.as<int32_t>(),
            .block_positions = batch_->block_positions.as<int32_t>(),
            .dropout = dropout_,
            .out = out,
            .log_sum_exp = log_sum_exp_.as<float>(),
            .grad_out = output().gradient().data(),
            .grad_qkv = grad_qkv.data(),
        },
        batch_->host);
    qkv_->add_gradient(grad_qkv);
  }

 private:
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(head_width_)); }
  const float* rotary() const { return rotary_ ? rotary_->data<const float>() : nullptr; }

  PackedBatchPtr batch_;
  VariablePtr qkv_, rotary_;
  int heads_, head_width_;
  Tensor log_sum_exp_;
  Dropout dropout_;
};

void check_rotary(const VariablePtr& rotary, const PackedBatch& batch, int64_t head_width) {
  require(head_width % 4 == 0, Code::kInvalidArgument,
          "attention: expected a head width that is a multiple of 4 for rotary positions, found ",
          head_width);
  int64_t rows = rotary->shape()[0];
  check(rotary, "attention", "the rotary table", Shape{rows, head_width / 4, 2}, DType::kFloat32);
  for (const std::vector<int32_t>* positions : {&batch.host->positions, &batch.host->block_positions}) {
    for (int32_t position : *positions) {
      require(position >= 0 && position < rows, Code::kContextLength, "attention: expected positions in [0, ",
              rows, "), found ", position,
              "; shorten the text, or use a model with a larger max_sequence_length");
    }
  }
}

}  // namespace

VariablePtr attention(Context& context, const PackedBatchPtr& batch, const VariablePtr& qkv,
                      const AttentionOptions& options) {
  check_activations(qkv, "attention", "qkv");
  int64_t width = qkv->shape()[1] / 3;
  require(options.heads > 0 && qkv->shape()[1] % (3 * int64_t{options.heads}) == 0 && width > 0,
          Code::kInvalidArgument, "attention: expected qkv [tokens, 3 · heads · head width] for ",
          options.heads, " heads, found ", qkv->shape().str());
  require(qkv->shape()[0] == batch->tokens(), Code::kInvalidArgument, "attention: expected qkv with ",
          batch->tokens(), " rows, one per token of the batch, found ", qkv->shape().str());
  require(batch->longest < 1 << 20, Code::kContextLength,
          "attention: expected examples below 2^20 tokens, found ", batch->longest);
  if (options.rotary) check_rotary(options.rotary, *batch, width / options.heads);
  auto out = std::make_shared<Variable>(context.device, Shape{batch->tokens(), width}, qkv->dtype());
  return context.tape.apply(std::make_unique<Attention>(out, batch, qkv, options), {&qkv});
}

}  // namespace glm
