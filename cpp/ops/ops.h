#pragma once

// The ops, one file each. An op checks its arguments at the call, enqueues its kernel and returns; with a
// recording tape it leaves a node that knows the way back.

#include <vector>

#include "autograd/tape.h"
#include "ops/batch.h"

namespace glm {

using PackedBatchPtr = std::shared_ptr<const PackedBatch>;

/// A place where dropout draws: probability, the run's seed, and a site that no other draw has.
struct DropoutOptions {
  double probability = 0;
  uint64_t seed = 0, site = 0;
};

/// words[ids] + position_table[positions] + block_table[block_positions] → [N, h]; the tables may be null.
/// Ids behind the words are rows of `prompts`, which a batch without such ids needs not.
VariablePtr embedding(Context& context, const PackedBatchPtr& batch, const VariablePtr& words,
                      const VariablePtr& prompts, const VariablePtr& position_table,
                      const VariablePtr& block_table, DType dtype, const DropoutOptions& dropout);

/// One direction of an LSTM layer: what its inputs give to the gates [T, 4h], and the recurrence's weight
/// [4h, h] and bias [4h].
struct LstmDirection {
  VariablePtr gates, weight, bias;
};

/// The recurrence of a bidirectional LSTM layer, in float32 → [T, 2h].
VariablePtr lstm(Context& context, const LstmDirection& forward, const LstmDirection& backward);

/// Over the last dimension of x [N, h]. Cheap: recomputed in the backward rather than kept.
VariablePtr layer_norm(Context& context, const VariablePtr& x, const VariablePtr& weight,
                       const VariablePtr& bias, double epsilon);

struct LinearOptions {
  Activation activation = Activation::kNone;  // applied to x
  VariablePtr residual;                       // [N, out], or null
  DropoutOptions dropout;
};

/// dropout(activation(x [N, in]) · weight [out, in]ᵀ + bias [out]) + residual → [N, out]; bias may be null.
VariablePtr linear(Context& context, const VariablePtr& x, const VariablePtr& weight, const VariablePtr& bias,
                   const LinearOptions& options);

struct AttentionOptions {
  int heads = 1;
  VariablePtr rotary;  // [positions, head width / 4, 2], or null
  DropoutOptions dropout;
};

/// Attention over packed examples by the GLM rule: qkv [N, 3h] → [N, h].
VariablePtr attention(Context& context, const PackedBatchPtr& batch, const VariablePtr& qkv,
                      const AttentionOptions& options);

/// x as float32 or bfloat16; x itself when it is that already.
VariablePtr cast(Context& context, const VariablePtr& x, DType dtype);

/// The contents of x as float32 or bfloat16, in memory of their own.
Tensor copy_as(DType dtype, const Tensor& x, const std::shared_ptr<Device>& device);

/// The rows of x [N, h] that the batch names → [rows, h].
VariablePtr gather_rows(Context& context, const PackedBatchPtr& batch, const VariablePtr& x);

struct CrossEntropyOptions {
  double smoothing = 0;
  double gradient_scale = 1;
};

/// The loss of each row of `hidden` [rows, h] against the batch's targets, with logits over `words` [V, h] →
/// [rows]. When recorded, the gradient of gradient_scale · Σ losses is taken in the same pass.
VariablePtr cross_entropy(Context& context, const PackedBatchPtr& batch, const VariablePtr& hidden,
                          const VariablePtr& words, const CrossEntropyOptions& options);

/// Normal numbers, a function of (seed, site, element).
VariablePtr random_normal(Context& context, const Shape& shape, double mean, double deviation, uint64_t seed,
                          uint64_t site, bool requires_gradient);

/// Σ x² over all gradients → float64 [1], as 8 bytes.
Tensor squared_norm(Context& context, const std::vector<Tensor>& tensors);

struct AdamWParameter {
  VariablePtr parameter;
  VariablePtr copy;  // in bfloat16, which is computed with and has the gradient; null: the parameter has it
  Tensor first_moment, second_moment;
  bool decay = false;
};

struct AdamWOptions {
  double rate = 0, beta1 = 0, beta2 = 0, epsilon = 0, weight_decay = 0;
  double gradient_scale = 1;
  int64_t step = 1;  // counted from 1, for the bias corrections
};

/// One AdamW step on parameters that have a gradient.
void adamw(Context& context, const std::vector<AdamWParameter>& parameters, const AdamWOptions& options);

}  // namespace glm
