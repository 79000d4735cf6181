#pragma once

// One plain struct per kernel: everything it reads and writes, nothing else. Ops (cpp/ops) have checked
// shapes and types before a struct is filled; kernels (cpp/cpu, cuda) trust it. Matrices are row-major and
// dense.
//
// Conventions
//   * `dtype` is the type of activations (float32 or bfloat16), `weight_dtype` of weight matrices (those, or
//     float16); statistics, losses, biases, layer-norm parameters and all parameter gradients are float32.
//   * Gradients of parameters are added to what is there (+=). Gradients of activations overwrite (=), unless
//   the
//     struct's `accumulate` says otherwise. A null gradient pointer means: not wanted.
//   * `workspace` is scratch of `Kernels::workspace_bytes(params)` bytes, with undefined contents.
//   * N tokens, h model width, V vocabulary, H heads, D width of a head, B examples.

#include <cstdint>

#include "base/dropout.h"
#include "base/dtype.h"
#include "base/spans/plan.h"

namespace glm {

enum class Activation : uint8_t { kNone, kGeluTanh, kGeluErf, kTanh, kRelu };

/// B examples, one behind the other in N rows. `contexts` are the lengths of Part A (glm_mask.h).
struct PackedLayout {
  int64_t tokens = 0;
  int32_t examples = 0;
  int32_t longest = 0;                     // length of the longest example
  const int32_t* offsets = nullptr;        // [B + 1], on the device
  const int32_t* contexts = nullptr;       // [B], on the device
  const int32_t* host_offsets = nullptr;   // [B + 1], for scheduling on the host
  const int32_t* host_contexts = nullptr;  // [B]
};

// ---- plain memory
// -----------------------------------------------------------------------------------------------

/// out[0 .. bytes) = 0
struct Zero {
  void* out = nullptr;
  int64_t bytes = 0;
};

/// y += x
struct Add {
  DType dtype{};
  int64_t elements = 0;
  const void* x = nullptr;
  void* y = nullptr;
};

/// out = x, converted to float32 or bfloat16 from these or float16
struct Cast {
  DType from{}, to{};
  int64_t elements = 0;
  const void* x = nullptr;
  void* out = nullptr;
};

/// out[r] = x[indices[r]]
struct GatherRows {
  DType dtype{};
  int64_t rows = 0, width = 0;
  const void* x = nullptr;           // [N, width]
  const int32_t* indices = nullptr;  // [rows]
  void* out = nullptr;               // [rows, width]
};

/// out = 0 everywhere, then out[indices[r]] = x[r]; the indices are distinct
struct ScatterRows {
  DType dtype{};
  int64_t rows = 0, width = 0, out_rows = 0;
  const void* x = nullptr;           // [rows, width]
  const int32_t* indices = nullptr;  // [rows]
  void* out = nullptr;               // [out_rows, width]
};

/// out[i] = mean + deviation * normal(seed, site, i)
struct RandomNormal {
  int64_t elements = 0;
  float mean = 0, deviation = 1;
  uint64_t seed = 0, site = 0;
  float* out = nullptr;
};

// ---- embedding
// --------------------------------------------------------------------------------------------------

/// out[i] = dropout(words[ids[i]] + position_table[positions[i]] + block_table[block_positions[i]])
/// The last two terms are left out where their table is null (rotary positions; no block positions). Ids from
/// V on are trained prompts: prompts[ids[i] - V] stands for the word.
struct EmbeddingForward {
  DType dtype{}, weight_dtype{};
  int64_t tokens = 0, width = 0;
  const int32_t* ids = nullptr;              // [N]
  const int32_t* positions = nullptr;        // [N]
  const int32_t* block_positions = nullptr;  // [N]
  int64_t vocabulary = 0;                    // V
  const void* words = nullptr;               // [V, h]
  const float* prompts = nullptr;            // [.., h], or null where no id is from V on
  const void* position_table = nullptr;      // [P, h]
  const void* block_table = nullptr;         // [P, h]
  Dropout dropout;                           // dropout_draw(i * h + j)
  void* out = nullptr;                       // [N, h]
};

struct EmbeddingBackward {
  DType dtype{};
  int64_t tokens = 0, width = 0;
  int64_t vocabulary = 0, position_rows = 0;
  const int32_t* ids = nullptr;
  const int32_t* positions = nullptr;
  const int32_t* block_positions = nullptr;
  Dropout dropout;
  const void* grad_out = nullptr;   // [N, h]
  float* grad_words = nullptr;      // [V, h] +=
  float* grad_prompts = nullptr;    // [.., h] +=
  float* grad_positions = nullptr;  // [P, h] +=
  float* grad_blocks = nullptr;     // [P, h] +=
  void* workspace = nullptr;
};

// ---- recurrence
// -------------------------------------------------------------------------------------------------

/// The recurrence of a bidirectional LSTM layer of width h over T steps: cpp/cpu/lstm.cpp. Of each pair the
/// first goes from left to right, the second from right to left.
struct LstmForward {
  DType weight_dtype{};
  int64_t steps = 0, width = 0;
  const float* gates[2] = {};   // [T, 4h] what the inputs give to the gates
  const void* weights[2] = {};  // [4h, h]
  const float* biases[2] = {};  // [4h]
  float* states = nullptr;      // [2, T, 5h] what the gates' functions are taken of, and the cell
  float* out = nullptr;         // [T, 2h]
};

struct LstmBackward {
  DType weight_dtype{};
  int64_t steps = 0, width = 0;
  const void* weights[2] = {};
  const float* states = nullptr;
  const float* out = nullptr;
  const float* grad_out = nullptr;  // [T, 2h]
  float* grad_gates[2] = {};        // [T, 4h]
  float* grad_weights[2] = {};      // [4h, h] +=, or null
  float* grad_biases[2] = {};       // [4h] +=, or null
  void* workspace = nullptr;
};

// ---- layer norm
// -------------------------------------------------------------------------------------------------

/// y = (x - mean) * rstd * weight + bias over each row; rstd = 1 / sqrt(variance + epsilon)
struct LayerNormForward {
  DType dtype{};
  int64_t rows = 0, width = 0;
  float epsilon = 0;
  const void* x = nullptr;        // [rows, width]
  const float* weight = nullptr;  // [width]
  const float* bias = nullptr;    // [width]
  void* y = nullptr;              // [rows, width]
  float* mean = nullptr;          // [rows]
  float* rstd = nullptr;          // [rows]
};

struct LayerNormBackward {
  DType dtype{};
  int64_t rows = 0, width = 0;
  const void* x = nullptr;
  const float* mean = nullptr;
  const float* rstd = nullptr;
  const float* weight = nullptr;
  const void* grad_y = nullptr;  // [rows, width]
  bool accumulate = false;       // grad_x += instead of =
  void* grad_x = nullptr;        // [rows, width]; may be grad_y
  float* grad_weight = nullptr;  // [width] +=
  float* grad_bias = nullptr;    // [width] +=
  void* workspace = nullptr;
};

// ---- linear
// -----------------------------------------------------------------------------------------------------

/// y = dropout(activation(x) · weightᵀ + bias) + residual
/// The activation belongs to the input: the pre-activation is then the only tensor that has to be kept.
struct LinearForward {
  DType dtype{}, weight_dtype{};
  int64_t rows = 0, in = 0, out = 0;
  Activation activation = Activation::kNone;
  const void* x = nullptr;         // [rows, in]
  const void* weight = nullptr;    // [out, in]
  const float* bias = nullptr;     // [out], or null
  const void* residual = nullptr;  // [rows, out], or null
  Dropout dropout;                 // dropout_draw(row * out + column)
  void* y = nullptr;               // [rows, out]; may be residual
  void* workspace = nullptr;
};

/// With g = dropout(grad_y):  grad_x = (g · weight) ∘ activation'(x),  grad_weight += gᵀ · activation(x),
/// grad_bias += column sums of g. (The residual's gradient is grad_y itself; no kernel.)
struct LinearBackward {
  DType dtype{}, weight_dtype{};
  int64_t rows = 0, in = 0, out = 0;
  Activation activation = Activation::kNone;
  const void* x = nullptr;
  const void* weight = nullptr;
  Dropout dropout;
  const void* grad_y = nullptr;  // [rows, out]
  bool accumulate = false;       // grad_x += instead of =
  void* grad_x = nullptr;        // [rows, in]
  float* grad_weight = nullptr;  // [out, in] +=
  float* grad_bias = nullptr;    // [out] +=
  void* workspace = nullptr;
};

// ---- attention
// --------------------------------------------------------------------------------------------------

/// out = dropout(softmax(scale · Q Kᵀ, GLM mask)) · V, per example and head. The mask is the rule of
/// glm_mask.h. With a rotary table, the first half of each head's Q and K is rotated by the position and the
/// second half by the block position: pair (j, j + D/4) of a half by the angle position · 10000^(-4j/D), j <
/// D/4.
struct AttentionForward {
  DType dtype{};
  PackedLayout layout;
  int32_t heads = 0, head_width = 0;
  float scale = 0;                           // 1 / sqrt(D)
  const void* qkv = nullptr;                 // [N, 3, H, D]
  const float* rotary = nullptr;             // [positions, D/4, 2] cos, sin; or null
  const int32_t* positions = nullptr;        // [N], with `rotary`
  const int32_t* block_positions = nullptr;  // [N], with `rotary`
  Dropout dropout;                           // attention_dropout_draw
  void* out = nullptr;                       // [N, H, D]
  float* log_sum_exp = nullptr;              // [H, N] natural logarithm, for the backward; or null
  void* workspace = nullptr;
};

struct AttentionBackward {
  DType dtype{};
  PackedLayout layout;
  int32_t heads = 0, head_width = 0;
  float scale = 0;
  const void* qkv = nullptr;
  const float* rotary = nullptr;
  const int32_t* positions = nullptr;
  const int32_t* block_positions = nullptr;
  Dropout dropout;
  const void* out = nullptr;
  const float* log_sum_exp = nullptr;
  const void* grad_out = nullptr;  // [N, H, D]
  void* grad_qkv = nullptr;        // [N, 3, H, D]
  void* workspace = nullptr;
};

// ---- loss
// -------------------------------------------------------------------------------------------------------

/// For the rows that have a loss, and only those: z = hidden · wordsᵀ in chunks, log-softmax, cross-entropy
///   losses[r] = (1 - smoothing) · (-log p[target]) + smoothing · mean over the vocabulary of (-log p)
/// and, where the gradient pointers are set, in the same pass while a chunk of z is at hand
///   grad_hidden[r] = gradient_scale · dlosses[r]/dhidden,   grad_words += gradient_scale · dΣlosses/dwords.
struct CrossEntropy {
  DType dtype{}, weight_dtype{};
  int64_t rows = 0, width = 0, vocabulary = 0;
  const void* hidden = nullptr;      // [rows, h], gathered
  const int32_t* targets = nullptr;  // [rows]
  const float* weights = nullptr;    // [rows] what the gradient of each loss counts, or null: 1
  const void* words = nullptr;       // [V, h]
  float smoothing = 0;
  float gradient_scale = 1;
  float* losses = nullptr;      // [rows]
  void* grad_hidden = nullptr;  // [rows, h]
  float* grad_words = nullptr;  // [V, h] +=
  void* workspace = nullptr;
};

// ---- blank infilling
// --------------------------------------------------------------------------------------------

/// Decides for each example what is masked (cpp/base/spans). Example e is part `parts[e]` of row `rows[e]`,
/// which is sample `first_sample + rows[e]`. A row is a text without its first [CLS].
struct PlanSpans {
  SpanStrategy strategy;
  uint64_t seed = 0;
  int32_t first_sample = 0;
  int32_t examples = 0;
  const int32_t* rows = nullptr;         // [E]
  const int32_t* parts = nullptr;        // [E]
  const int32_t* tokens = nullptr;       // of all rows, one behind the other
  const int32_t* row_offsets = nullptr;  // [rows + 1]
  SpanPlan* plans = nullptr;             // [E]
  MaskedSpan* masked = nullptr;          // [E, strategy.span_capacity], in the order of the text
  int32_t* orders = nullptr;  // [E, strategy.span_capacity], which span Part B has first, second, …
  void* workspace = nullptr;
};

/// Writes the examples that have been planned. E examples of N tokens; `offsets` are the sums of the plans'
/// lengths.
struct LayOutSpans {
  SpanStrategy strategy;
  uint64_t seed = 0;
  int32_t examples = 0;
  const int32_t* tokens = nullptr;  // as in PlanSpans
  const SpanPlan* plans = nullptr;
  const MaskedSpan* masked = nullptr;
  const int32_t* orders = nullptr;
  const int32_t* offsets = nullptr;    // [E + 1]
  int32_t* ids = nullptr;              // [N]
  int32_t* positions = nullptr;        // [N]
  int32_t* block_positions = nullptr;  // [N]
  int32_t* targets = nullptr;          // [N]
  uint8_t* loss_mask = nullptr;        // [N]
};

// ---- decoding
// ---------------------------------------------------------------------------------------------------

/// The keys and values of a sequence, and the tokens of the step that belong to it. What its tokens see are
/// the first `shared` rows of the cache and the rows that `seen` names for each.
struct CachedSequence {
  void* cache = nullptr;  // [layers, H, capacity, 2, D]
  int64_t capacity = 0;
  int32_t first = 0, tokens = 0;  // its tokens in the step
  int32_t shared = 0;
};

/// N new tokens of S sequences. Grids and workspaces are made for the two bounds and for N and S alone, so
/// that the same step can be run again for other contents of the arrays.
struct CacheLayout {
  int64_t tokens = 0;
  int32_t sequences = 0;
  int32_t most_tokens = 0;                   // that a sequence has
  int32_t most_keys = 0;                     // that a token sees; it may be more than any does
  const CachedSequence* sequence = nullptr;  // [S]
  const int32_t* slots = nullptr;            // [N] the row of its cache that a token's keys and values have
  const int32_t* seen_offsets = nullptr;     // [N + 1]
  const int32_t* seen = nullptr;             // rows of the cache; a token names its own too
};

/// out[i · out_stride ..] = x[i · x_stride ..], `bytes` of each of the `blocks`
struct CopyBlocks {
  int64_t blocks = 0, bytes = 0;
  int64_t x_stride = 0, out_stride = 0;  // in bytes
  const void* x = nullptr;
  void* out = nullptr;
};

/// Writes the keys (turned, with a rotary table) and values of new tokens to their sequences' caches.
struct StoreKeyValues {
  DType dtype{};
  CacheLayout layout;
  int32_t layer = 0, heads = 0, head_width = 0;
  const void* qkv = nullptr;                 // [N, 3, H, D]
  const float* rotary = nullptr;             // as in AttentionForward
  const int32_t* positions = nullptr;        // [N], with `rotary`
  const int32_t* block_positions = nullptr;  // [N], with `rotary`
};

/// out = softmax(scale · q Kᵀ) · V over the cache rows that each new token sees.
struct AttentionCached {
  DType dtype{};
  CacheLayout layout;
  int32_t layer = 0, heads = 0, head_width = 0;
  float scale = 0;                           // 1 / sqrt(D)
  const void* qkv = nullptr;                 // [N, 3, H, D]
  const float* rotary = nullptr;             // as in AttentionForward
  const int32_t* positions = nullptr;        // [N], with `rotary`
  const int32_t* block_positions = nullptr;  // [N], with `rotary`
  void* out = nullptr;                       // [N, H, D]
  void* workspace = nullptr;
};

/// How to choose the next token from a row of logits, among those below `ChooseTokens::limit` that are not
/// forbidden.
struct TokenChoice {
  int32_t count = 1;   // how many of the likeliest; 1 when sampling
  int32_t result = 0;  // where its results begin
  int32_t forbidden_begin = 0, forbidden_end = 0;
  float temperature = 0;  // 0: the likeliest; above: sampled from softmax(logits / temperature)
  int32_t top_k = 0;      // … among the tokens at least as likely as the k-th; 0: all
  float top_p = 1;        // … among the likeliest that together have this probability
  uint64_t seed = 0, blank = 0, token = 0;  // philox(seed, token, blank)
};

/// Next tokens, the likeliest first (of equals the lowest id), and log softmax of the whole row at each.
/// A row with a logit that is not finite gives ids -1; where nothing (more) may be chosen, the id is -2.
struct ChooseTokens {
  DType dtype{};
  int64_t rows = 0, vocabulary = 0, limit = 0;
  const void* logits = nullptr;          // [rows, V]
  const TokenChoice* choices = nullptr;  // [rows], on the host
  const int32_t* forbidden = nullptr;    // on the host
  int32_t* ids = nullptr;                // [Σ count]
  float* logprobs = nullptr;             // [Σ count]
  void* workspace = nullptr;
};

// ---- optimizer
// --------------------------------------------------------------------------------------------------

struct FloatSpan {
  const float* data = nullptr;
  int64_t elements = 0;
};

/// result = Σ over all tensors of Σ x². Partial sums over fixed chunks in float64: the same for any number of
/// threads.
struct SquaredNorm {
  const FloatSpan* tensors = nullptr;  // on the host
  int64_t count = 0;
  double* result = nullptr;  // [1]
  void* workspace = nullptr;
};

struct AdamWTensor {
  float* parameter = nullptr;
  const float* gradient = nullptr;
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  void* low_precision = nullptr;  // a bfloat16 copy of the parameter to refresh, or null
  int64_t elements = 0;
  bool decay = false;
};

/// AdamW with decoupled decay (Loshchilov & Hutter 2019), g = gradient_scale · gradient:
///   parameter -= rate · weight_decay · parameter              (where `decay`)
///   m = β₁ m + (1 - β₁) g;  v = β₂ v + (1 - β₂) g²
///   parameter -= rate / correction1 · m / (sqrt(v / correction2) + epsilon),  correction_k = 1 - β_kᵗ
struct AdamW {
  const AdamWTensor* tensors = nullptr;  // on the host
  int64_t count = 0;
  float rate = 0, beta1 = 0, beta2 = 0, epsilon = 0, weight_decay = 0;
  float complement1 = 1,
        complement2 = 1;  // 1 - β, rounded once: in float32, 1 - 0.999 is off by 5e-5 of itself
  float correction1 = 1, correction2 = 1;
  float gradient_scale = 1;
};

}  // namespace glm
