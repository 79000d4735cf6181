// Vocabulary projection, softmax and cross-entropy with label smoothing, on the rows that have a loss and
// only those:
//
//   z = hidden · wordsᵀ,  lse = log Σ exp(z)
//   losses = lse - (1 - smoothing) · z[target] - smoothing · mean(z)
//   dz = gradient_scale · weight · (exp(z - lse) - (1 - smoothing) · [target] - smoothing / V)
//   grad_hidden = dz · words,  grad_words += dzᵀ · hidden
//
// hidden [rows, h] and words [V, h] in float32 or bfloat16; z, statistics and losses float32; dz in the
// activation type. Work: 2 · rows · V · h operations per product, one for the losses and three with
// gradients, and one or two exponentials per logit. Memory traffic per chunk of rows: words twice, grad_words
// read and written; z written, read twice and overwritten by dz, which is read twice. z is never whole: rows
// are taken in chunks of at most kLogitsBytes. A chunk's z that fits the L2 cache stays there (A100 40 MB,
// H100 50 MB); larger ones are worth more where words is large, because each reads words and updates
// grad_words once.

#include <algorithm>
#include <cfloat>

#include "device/pack.cuh"
#include "device/reduce.cuh"
#include "kernels.h"
#include "matmul/epilogue.cuh"
#include "matmul/pack.h"

namespace glm::cuda {
namespace {

#ifndef GLM_LOGITS_BYTES
#define GLM_LOGITS_BYTES (256 << 20)
#endif
constexpr int64_t kLogitsBytes = GLM_LOGITS_BYTES;
constexpr int64_t kTileRows = 128;
constexpr int kThreads = 512;

__host__ __device__ constexpr int64_t round_up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }
int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// ---- a chunk's rows ----------------------------------------------------------------------------

/// Elements of z from one row to the next: rows begin where sectors of memory do, at multiples of 32 bytes,
/// as z and as dz.
int64_t stride_of(const CrossEntropy& p) { return round_up(p.vocabulary, 8); }

/// Rows of a chunk: as many as kLogitsBytes hold, the chunks about equal, whole tiles.
int64_t rows_of_chunk(const CrossEntropy& p) {
  int64_t most = kLogitsBytes / 4 / std::max<int64_t>(stride_of(p), 1) / kTileRows * kTileRows;
  if (most < kTileRows) most = kTileRows;
  if (p.rows <= most) return p.rows;
  return round_up(divide_up(p.rows, divide_up(p.rows, most)), kTileRows);
}

/// Rows [first, first + rows) on their way: z, which dz overwrites from the start of each row.
struct Chunk {
  int64_t first, rows;
  float* z;         // [rows, stride_of]
  void* workspace;  // of the products
};

/// The loss of one row per block, and dz in place of z where gradients are wanted.
template <class T>
__global__ __launch_bounds__(kThreads) void loss_of_row(const CrossEntropy p, float* logits, int64_t stride,
                                                        int64_t first_row, bool wants_gradient) {
  float* z = logits + blockIdx.x * stride;
  int64_t row = first_row + blockIdx.x, width = p.vocabulary;
  int32_t target = p.targets[row];
  float at_target = z[target];

  // The sum of exponentials is kept relative to the largest logit so far.
  float most = -FLT_MAX, total = 0, sum = 0;
  for (int64_t j = 4 * threadIdx.x; j < width; j += 4 * kThreads) {
    Pack<4> four = load_upto<4>(z + j, width - j, true);
    float larger = most;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (j + i < width && four.x[i] > larger) larger = four.x[i];
    }
    total *= expf(most - larger);
    most = larger;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (j + i < width) total += expf(four.x[i] - most);
      sum += four.x[i];
    }
  }
  float largest = block_reduce(most, -FLT_MAX, Maximum{});
  total = block_sum(total * expf(most - largest));
  float log_total = logf(total);
  float mean = p.smoothing != 0 ? block_sum(sum) / static_cast<float>(width) : 0.0f;
  if (threadIdx.x == 0) {
    p.losses[row] =
        (1 - p.smoothing) * (largest - at_target + log_total) + p.smoothing * (largest - mean + log_total);
  }
  if (!wants_gradient) return;

  float scale = p.gradient_scale * (p.weights == nullptr ? 1.0f : p.weights[row]);
  float factor = scale / total, uniform = scale * p.smoothing / static_cast<float>(width);
  float of_target = scale * (1 - p.smoothing);
  // bfloat16 is half as wide: what is written lies at or before what has been read when all threads have.
  // Zeros fill the last 16 bytes, for the products.
  T* dz = reinterpret_cast<T*>(z);
  int64_t padded = round_up(width, 16 / static_cast<int64_t>(sizeof(T)));
  for (int64_t begin = 0; begin < padded; begin += 4 * kThreads) {
    int64_t j = begin + 4 * threadIdx.x;
    Pack<4> four = load_upto<4>(z + j, width - j, true);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float gradient = expf(four.x[i] - largest) * factor - uniform;
      if (j + i == target) gradient -= of_target;
      four.x[i] = j + i < width ? gradient : 0.0f;
    }
    if (j < padded) store_pack(dz + j, four);
  }
}

// ---- its products ------------------------------------------------------------------------------

Operand hidden_operand(const CrossEntropy& p, const Chunk& chunk) {
  return {.dtype = p.dtype,
          .data = static_cast<const char*>(p.hidden) + chunk.first * p.width * size_of(p.dtype),
          .stride = p.width};
}

Operand dz_operand(const CrossEntropy& p, const Chunk& chunk) {
  return {.dtype = p.dtype, .data = chunk.z, .stride = stride_of(p) * 4 / size_of(p.dtype)};
}

Operand words_operand(const CrossEntropy& p) {
  return {.dtype = p.weight_dtype, .data = p.words, .stride = p.width};
}

/// The type in which products with `words` are taken.
DType words_type(const CrossEntropy& p) {
  bool both = p.dtype == DType::kBFloat16 && p.weight_dtype == DType::kBFloat16;
  return both ? DType::kBFloat16 : DType::kFloat32;
}

Product logits_product(const CrossEntropy& p, const Chunk& chunk, const Operand& words) {
  return {.m = chunk.rows, .n = p.vocabulary, .k = p.width, .a = hidden_operand(p, chunk), .b = words};
}

Product grad_hidden_product(const CrossEntropy& p, const Chunk& chunk, const Operand& words) {
  return {.m = chunk.rows, .n = p.width, .k = p.vocabulary, .a = dz_operand(p, chunk), .b = words};
}

Product grad_words_product(const CrossEntropy& p, const Chunk& chunk) {
  return {.m = p.vocabulary,
          .n = p.width,
          .k = chunk.rows,
          .a = dz_operand(p, chunk),
          .b = hidden_operand(p, chunk)};
}

// ---- workspace: the logits of a chunk, `words` where products cannot take it as it is, the products'
// -------------

size_t logits_bytes(const CrossEntropy& p) {
  return static_cast<size_t>(round_up(rows_of_chunk(p) * stride_of(p) * 4, 256));
}

size_t words_bytes(const CrossEntropy& p) {
  if (is_direct(words_operand(p), words_type(p))) return 0;
  return packed_bytes(p.vocabulary, p.width, words_type(p));
}

}  // namespace

size_t CudaKernels::workspace_bytes(const CrossEntropy& p) const {
  Chunk chunk{.first = 0, .rows = rows_of_chunk(p), .z = nullptr, .workspace = nullptr};
  // The last chunk may be shorter, and be cut up otherwise.
  Chunk last = chunk;
  if (chunk.rows > 0) last.rows = p.rows - (p.rows - 1) / chunk.rows * chunk.rows;
  Operand words = words_operand(p);
  if (words_bytes(p) != 0) words = packed_operand(p.width, words_type(p), nullptr);
  size_t most = 0;
  for (const Chunk& c : {chunk, last}) {
    most = std::max(most, multiply_workspace(queue_, Transposes::kNT, logits_product(p, c, words)));
    most = std::max(most, multiply_workspace(queue_, Transposes::kNN, grad_hidden_product(p, c, words)));
    most = std::max(most, multiply_workspace(queue_, Transposes::kTN, grad_words_product(p, c)));
  }
  return logits_bytes(p) + words_bytes(p) + most;
}

void CudaKernels::run(const CrossEntropy& p) {
  if (p.rows == 0) return;
  char* workspace = static_cast<char*>(p.workspace);
  char* after_logits = workspace + logits_bytes(p);
  Operand words = words_operand(p);
  if (words_bytes(p) != 0) words = pack(queue_, words, p.vocabulary, p.width, words_type(p), after_logits);
  bool wants_gradient = p.grad_hidden != nullptr || p.grad_words != nullptr;

  with_element_type(p.dtype, [&](auto type) {
    using T = decltype(type);
    int64_t rows = rows_of_chunk(p);
    for (int64_t first = 0; first < p.rows; first += rows) {
      Chunk chunk{.first = first,
                  .rows = std::min(p.rows - first, rows),
                  .z = reinterpret_cast<float*>(workspace),
                  .workspace = after_logits + words_bytes(p)};
      multiply_nt(queue_, logits_product(p, chunk, words), ToFloat{chunk.z, stride_of(p), false},
                  chunk.workspace);
      start({"crossEntropy", static_cast<unsigned>(chunk.rows), kThreads}, loss_of_row<T>, p, chunk.z,
            stride_of(p), first, wants_gradient);
      if (p.grad_words != nullptr) {
        multiply_tn(queue_, grad_words_product(p, chunk), ToFloat{p.grad_words, p.width, true},
                    chunk.workspace);
      }
      if (p.grad_hidden != nullptr) {
        multiply_nn(queue_, grad_hidden_product(p, chunk, words),
                    GradInputEpilogue<T>{.activation = Activation::kNone,
                                         .x = nullptr,
                                         .grad_x = static_cast<T*>(p.grad_hidden) + first * p.width,
                                         .accumulate = false},
                    chunk.workspace);
      }
    }
  });
}

}  // namespace glm::cuda
