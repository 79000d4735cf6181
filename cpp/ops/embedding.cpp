#include "ops/check.h"
#include "ops/dropout.h"
#include "ops/ops.h"

namespace glm {
namespace {

class Embedding final : public Node {
 public:
  Embedding(VariablePtr out, PackedBatchPtr batch, VariablePtr words, VariablePtr prompts,
            VariablePtr position_table, VariablePtr block_table, Dropout dropout)
      : Node(std::move(out)),
        batch_(std::move(batch)),
        words_(std::move(words)),
        prompts_(std::move(prompts)),
        position_table_(std::move(position_table)),
        block_table_(std::move(block_table)),
        dropout_(dropout) {}

  void forward() override {
    device().launch(EmbeddingForward{
        .dtype = output().dtype(),
        .weight_dtype = words_->dtype(),
        .tokens = batch_->tokens(),
        .width = words_->shape()[1],
        .ids = batch_->ids.as<int32_t>(),
        .positions = batch_->positions.as<int32_t>(),
        .block_positions = batch_->block_positions.as<int32_t>(),
        .vocabulary = words_->shape()[0],
        .words = words_->data(),
        .prompts = prompts_ ? prompts_->data<float>() : nullptr,
        .position_table = position_table_ ? position_table_->data() : nullptr,
        .block_table = block_table_ ? block_table_->data() : nullptr,
        .dropout = dropout_,
        .out = output().allocate(),
    });
  }

  void backward() override {
    device().launch(EmbeddingBackward{
        .dtype = output().dtype(),
        .tokens = batch_->tokens(),
        .width = words_->shape()[1],
        .vocabulary = words_->shape()[0],
        .position_rows = position_table_ ? position_table_->shape()[0] : 0,
        .ids = batch_->ids.as<int32_t>(),
        .positions = batch_->positions.as<int32_t>(),
        .block_positions = batch_->block_positions.as<int32_t>(),
        .dropout = dropout_,
        .grad_out = output().gradient().data(),
        .grad_words = words_->gradient_to_add(),
        .grad_prompts = prompts_ ? prompts_->gradient_to_add() : nullptr,
        .grad_positions = position_table_ ? position_table_->gradient_to_add() : nullptr,
        .grad_blocks = block_table_ ? block_table_->gradient_to_add() : nullptr,
    });
  }

 private:
  PackedBatchPtr batch_;
  VariablePtr words_, prompts_, position_table_, block_table_;
  Dropout dropout_;
};

}  // namespace

VariablePtr embedding(Context& context, const PackedBatchPtr& batch, const VariablePtr& words,
                      const VariablePtr& prompts, const VariablePtr& position_table,
                      const VariablePtr& block_table, DType dtype, const DropoutOptions& dropout) {
  check_weights(words, "embedding", "words");
  int64_t width = words->shape()[1];
  require(dtype == DType::kFloat32 || dtype == DType::kBFloat16, Code::kInvalidArgument,
          "embedding: expected the dtype float32 or bfloat16, found ", name_of(dtype));
  check_rows(words, "embedding", "words", batch->limits.vocabulary);
  if (batch->has_prompts) {
    check(prompts, "embedding", "prompts", Shape{batch->limits.prompts, width}, DType::kFloat32);
    require(words->shape()[0] == batch->limits.vocabulary, Code::kInvalidArgument,
            "embedding: expected words to have ", batch->limits.vocabulary,
            " rows, behind which the prompts begin, found ", words->shape().str());
  }
  if (position_table) check_rows(position_table, "embedding", "positionTable", batch->limits.positions);
  if (block_table) check_rows(block_table, "embedding", "blockTable", batch->limits.block_positions);
  for (const VariablePtr& table : {position_table, block_table}) {
    if (table) check(table, "embedding", "a position table", Shape{table->shape()[0], width}, words->dtype());
  }
  require(!position_table || !block_table || position_table->shape() == block_table->shape(),
          Code::kInvalidArgument, "embedding: expected both position tables to have one shape, found ",
          position_table ? position_table->shape().str() : "", " and ",
          block_table ? block_table->shape().str() : "");
  auto out = std::make_shared<Variable>(context.device, Shape{batch->tokens(), width}, dtype);
  VariablePtr used = batch->has_prompts ? prompts : nullptr;
  return context.tape.apply(std::make_unique<Embedding>(out, batch, words, used, position_table, block_table,
                                                        checked_dropout(dropout, "embedding")),
                            {&words, &used, &position_table, &block_table});
}

}  // namespace glm
