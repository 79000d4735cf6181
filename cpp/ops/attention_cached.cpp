#include <cmath>

#include "ops/check.h"
#include "ops/decoding.h"

namespace glm {
namespace {

void check_arguments(const CacheStep& step, int64_t layer, const VariablePtr& qkv,
                     const VariablePtr& rotary) {
  const CacheShape& cache = step.shape;
  check_activations(qkv, "attentionCached", "qkv");
  check(qkv, "attentionCached", "qkv", Shape{step.batch->tokens(), 3 * cache.heads * cache.head_width},
        cache.dtype);
  require(layer >= 0 && layer < cache.layers, Code::kInvalidArgument,
          "attentionCached: expected a layer in [0, ", cache.layers, "), found ", layer);
  if (!rotary) return;
  int64_t rows = rotary->shape()[0];
  check(rotary, "attentionCached", "the rotary table", Shape{rows, cache.head_width / 4, 2}, DType::kFloat32);
  for (const std::vector<int32_t>* positions :
       {&step.batch->host->positions, &step.batch->host->block_positions}) {
    for (int32_t position : *positions) {
      require(position >= 0 && position < rows, Code::kContextLength,
              "attentionCached: expected positions in [0, ", rows, "), found ", position,
              "; shorten the text, or use a model with a larger max_sequence_length");
    }
  }
}

}  // namespace

VariablePtr attention_cached(Context& context, const CacheStepPtr& step, int64_t layer,
                             const VariablePtr& qkv, const VariablePtr& rotary) {
  require(!context.tape.recording(), Code::kInvalidArgument,
          "attentionCached: expected no recording, found one; decoding has no gradients");
  check_arguments(*step, layer, qkv, rotary);
  const CacheShape& cache = step->shape;
  Device& device = *context.device;
  float scale = 1.0f / std::sqrt(static_cast<float>(cache.head_width));
  const float* table = rotary ? rotary->data<const float>() : nullptr;
  if (Recording* recording = device.recording(); recording && rotary) {
    const BatchLimits& limits = step->batch->limits;
    int64_t rows = rotary->shape()[0];
    require(0 < limits.positions && limits.positions <= rows && 0 < limits.block_positions &&
                limits.block_positions <= rows,
            Code::kInvalidArgument, "attentionCached: expected a batch checked against the ", rows,
            " rotary positions, as later ones are only at that, found limits of ", limits.positions, " and ",
            limits.block_positions);
    rotary->tensor().keep_for(*recording);
  }
  Tensor out(context.device, Shape{step->batch->tokens(), cache.heads * cache.head_width}, qkv->dtype());
  device.launch(StoreKeyValues{
      .dtype = qkv->dtype(),
      .layout = step->layout(),
      .layer = static_cast<int32_t>(layer),
      .heads = static_cast<int32_t>(cache.heads),
      .head_width = static_cast<int32_t>(cache.head_width),
      .qkv = qkv->data(),
      .rotary = table,
      .positions = step->batch->positions.as<int32_t>(),
      .block_positions = step->batch->block_positions.as<int32_t>(),
  });
  if (step->encode) {
    device.launch(
        AttentionForward{
            .dtype = qkv->dtype(),
            .layout = step->batch->layout(),
            .heads = static_cast<int32_t>(cache.heads),
            .head_width = static_cast<int32_t>(cache.head_width),
            .scale = scale,
            .qkv = qkv->data(),
            .rotary = table,
            .positions = step->batch->positions.as<int32_t>(),
            .block_positions = step->batch->block_positions.as<int32_t>(),
            .dropout = {},
            .out = out.data(),
        },
        step->batch->host);
  } else {
    device.launch(AttentionCached{
        .dtype = qkv->dtype(),
        .layout = step->layout(),
        .layer = static_cast<int32_t>(layer),
        .heads = static_cast<int32_t>(cache.heads),
        .head_width = static_cast<int32_t>(cache.head_width),
        .scale = scale,
        .qkv = qkv->data(),
        .rotary = table,
        .positions = step->batch->positions.as<int32_t>(),
        .block_positions = step->batch->block_positions.as<int32_t>(),
        .out = out.data(),
    });
  }
  return std::make_shared<Variable>(context.device, std::move(out), false);
}

}  // namespace glm
