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
// gradients, and one exponential per logit. Memory traffic: words twice, grad_words read and written, z
// written once, read and overwritten by dz, and read twice. z is never whole: rows are taken in chunks of at
// most kLogitsBytes. Few large chunks are fast, because each of them reads words and updates grad_words once.

#include "cpu/element_type.h"
#include "cpu/gemm/gemm.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {
namespace {

constexpr int64_t kLogitsBytes = int64_t{96} << 20;

/// Rows of a chunk: as many as kLogitsBytes hold, the chunks about equal, whole tiles.
int64_t rows_of_chunk(const CrossEntropy& p) {
  int64_t most = kLogitsBytes / 4 / (p.vocabulary > 0 ? p.vocabulary : 1) / kTileRows * kTileRows;
  if (most < 2 * kTileRows) most = 2 * kTileRows;
  if (p.rows <= most) return p.rows;
  return round_up(divide_up(p.rows, divide_up(p.rows, most)), kTileRows);
}

/// Rows [first, first + rows) on their way: z, which dz overwrites from the start of each row.
struct Chunk {
  int64_t first, rows;
  float* z;            // [rows, V]
  float* grad_hidden;  // [rows, h]: the result itself, or float32 scratch where that is bfloat16
  void* workspace;     // of the products
};

const void* hidden_of(const CrossEntropy& p, const Chunk& chunk) {
  return static_cast<const char*>(p.hidden) + chunk.first * p.width * size_of(p.dtype);
}

Operand dz_operand(const CrossEntropy& p, const Chunk& chunk, bool depth_is_major) {
  return {.dtype = p.dtype,
          .data = chunk.z,
          .stride = p.vocabulary * 4 / size_of(p.dtype),
          .extent = depth_is_major ? p.vocabulary : chunk.rows,
          .depth_is_major = depth_is_major};
}

Product logits_product(const CrossEntropy& p, const Chunk& chunk) {
  return {.m = chunk.rows,
          .n = p.vocabulary,
          .k = p.width,
          .a = {.dtype = p.dtype, .data = hidden_of(p, chunk), .stride = p.width, .extent = chunk.rows},
          .b = {.dtype = p.weight_dtype, .data = p.words, .stride = p.width, .extent = p.vocabulary},
          .c = chunk.z};
}

Product grad_hidden_product(const CrossEntropy& p, const Chunk& chunk) {
  return {.m = chunk.rows,
          .n = p.width,
          .k = p.vocabulary,
          .a = dz_operand(p, chunk, false),
          .b = {.dtype = p.weight_dtype,
                .data = p.words,
                .stride = p.width,
                .extent = p.width,
                .depth_is_major = true},
          .c = chunk.grad_hidden};
}

Product grad_words_product(const CrossEntropy& p, const Chunk& chunk) {
  return {.m = p.vocabulary,
          .n = p.width,
          .k = chunk.rows,
          .a = dz_operand(p, chunk, true),
          .b = {.dtype = p.dtype,
                .data = hidden_of(p, chunk),
                .stride = p.width,
                .extent = p.width,
                .depth_is_major = true},
          .c = p.grad_words,
          .accumulate = true};
}

/// Four vectors of a row at a time: `step(vector, j, lanes that exist)` for the vectors 0 to 3 of each group.
template <class Step>
GLM_INLINE void for_each_vector(int64_t width, const Step& step) {
  int64_t j = 0;
  for (; j + 4 * kLanes <= width; j += 4 * kLanes) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) step(v, j + v * kLanes, int64_t{kLanes});
  }
  for (; j < width; j += kLanes) step(0, j, width - j);
}

float largest_of(const float* z, int64_t width) {
  Floats most[4];
  for (Floats& m : most) m = broadcast(z[0]);
  for_each_vector(width, [&](int v, int64_t j, int64_t lanes) {
    if (lanes >= kLanes) {
      most[v] = max(most[v], load(z + j));
    } else {
      for (int64_t i = 0; i < lanes; i++) most[v] = max(most[v], broadcast(z[j + i]));
    }
  });
  return largest(max(max(most[0], most[1]), max(most[2], most[3])));
}

/// The loss of one row, and dz in place of z where gradients are wanted.
template <class T>
void loss_of_row(const CrossEntropy& p, float* z, int64_t row, bool wants_gradient) {
  int32_t target = p.targets[row];
  float gradient_scale = p.gradient_scale * (p.weights == nullptr ? 1 : p.weights[row]);
  int64_t width = p.vocabulary;
  float at_target = z[target];
  float mean = 0;
  if (p.smoothing != 0) {
    Floats sums[4] = {};
    for_each_vector(width, [&](int v, int64_t j, int64_t lanes) { sums[v] += load_upto(z + j, lanes); });
    mean = sum((sums[0] + sums[1]) + (sums[2] + sums[3])) / static_cast<float>(width);
  }
  float most = largest_of(z, width);
  Floats sums[4] = {};
  for_each_vector(width, [&](int v, int64_t j, int64_t lanes) {
    Floats e = keep_first(exp(load_upto(z + j, lanes) - most), lanes);
    sums[v] += e;
    if (wants_gradient) store_upto(z + j, e, lanes);
  });
  float total = sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  float log_total = log(broadcast(total))[0];
  p.losses[row] =
      (1 - p.smoothing) * (most - at_target + log_total) + p.smoothing * (most - mean + log_total);
  if (!wants_gradient) return;
  float factor = gradient_scale / total;
  float uniform = gradient_scale * p.smoothing / static_cast<float>(width);
  float target_value = z[target] * factor - uniform - gradient_scale * (1 - p.smoothing);
  // bfloat16 is half as wide: element j lands at or before the place from which element j was read.
  T* dz = reinterpret_cast<T*>(z);
  for (int64_t j = 0; j < width; j += kLanes) {
    store_upto(dz + j, load_upto(z + j, width - j) * factor - uniform, width - j);
  }
  store_some(dz + target, broadcast(target_value), 1);
}

size_t page_round(int64_t bytes) { return static_cast<size_t>(round_up(bytes, 4096)); }

size_t logits_bytes(const CrossEntropy& p) { return page_round(rows_of_chunk(p) * p.vocabulary * 4); }

size_t grad_hidden_bytes(const CrossEntropy& p) {
  bool needed = p.dtype != DType::kFloat32 && p.grad_hidden != nullptr;
  return needed ? page_round(rows_of_chunk(p) * p.width * 4) : 0;
}

void run_chunk(const Parallel& parallel, const CrossEntropy& p, const Chunk& chunk) {
  multiply(parallel, logits_product(p, chunk), chunk.workspace);
  bool wants_gradient = p.grad_hidden != nullptr || p.grad_words != nullptr;
  parallel.ranges(chunk.rows, rows_per_piece(p.vocabulary), [&](int64_t begin, int64_t end) {
    with_element_type(p.dtype, [&](auto type) {
      for (int64_t row = begin; row < end; row++) {
        loss_of_row<decltype(type)>(p, chunk.z + row * p.vocabulary, chunk.first + row, wants_gradient);
      }
    });
  });
  if (p.grad_words != nullptr) multiply(parallel, grad_words_product(p, chunk), chunk.workspace);
  if (p.grad_hidden != nullptr) {
    multiply(parallel, grad_hidden_product(p, chunk), chunk.workspace);
    if (p.dtype == DType::kBFloat16) {
      bfloat16* out = static_cast<bfloat16*>(p.grad_hidden) + chunk.first * p.width;
      parallel.ranges(chunk.rows * p.width, 16384, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i += kLanes) {
          store_upto(out + i, load_upto(chunk.grad_hidden + i, end - i), end - i);
        }
      });
    }
  }
}

}  // namespace

size_t CpuKernels::workspace_bytes(const CrossEntropy& p) const {
  Chunk chunk{
      .first = 0, .rows = rows_of_chunk(p), .z = nullptr, .grad_hidden = nullptr, .workspace = nullptr};
  // The last chunk may be shorter, and be cut up otherwise.
  Chunk last = chunk;
  if (chunk.rows > 0) last.rows = p.rows - (p.rows - 1) / chunk.rows * chunk.rows;
  size_t most = 0;
  for (const Chunk& c : {chunk, last}) {
    for (const Product& product :
         {logits_product(p, c), grad_hidden_product(p, c), grad_words_product(p, c)}) {
      size_t bytes = multiply_workspace(product, parallel_.threads());
      if (bytes > most) most = bytes;
    }
  }
  return logits_bytes(p) + grad_hidden_bytes(p) + most;
}

void CpuKernels::run(const CrossEntropy& p) {
  char* workspace = static_cast<char*>(p.workspace);
  int64_t rows = rows_of_chunk(p);
  for (int64_t first = 0; first < p.rows; first += rows) {
    Chunk chunk{.first = first,
                .rows = p.rows - first < rows ? p.rows - first : rows,
                .z = reinterpret_cast<float*>(workspace),
                .grad_hidden = reinterpret_cast<float*>(workspace + logits_bytes(p)),
                .workspace = workspace + logits_bytes(p) + grad_hidden_bytes(p)};
    if (p.dtype == DType::kFloat32 && p.grad_hidden != nullptr) {
      chunk.grad_hidden = static_cast<float*>(p.grad_hidden) + first * p.width;
    }
    run_chunk(parallel_, p, chunk);
  }
}

}  // namespace glm::GLM_ISA
