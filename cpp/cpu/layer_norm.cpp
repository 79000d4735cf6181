// Layer normalisation (Ba et al. 2016), each row of h on its own:
//
//   forward    x̂ = (x - mean) · rstd,  y = x̂ ∘ weight + bias,  rstd = 1 / sqrt(mean of (x - mean)² + epsilon)
//   backward   with g = grad_y ∘ weight:  grad_x = rstd · (g - mean(g) - x̂ · mean(g ∘ x̂))
//              grad_weight += Σ over rows of grad_y ∘ x̂,  grad_bias += Σ over rows of grad_y
//
// x, y, grad_x, grad_y [rows, h] in the activation type; the rest float32. Work: about 8 operations per
// element forward, 14 backward. Memory traffic: x read and y written once (the later passes over a
// row find it in the first level cache); backward x and grad_y read, grad_x written.
//
// The variance is the mean of squared deviations from the mean, in two passes: E[x²] - E[x]² would cancel.
// Sums run in kLanes · 2 partial sums, which rounds less than one running sum.
//
// The parameters' gradients are summed over fixed chunks of rows, each into sums of its own, and these in
// order: the same bits for any number of threads.

#include "cpu/element_type.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {
namespace {

constexpr int64_t kRowsOfChunk = 64;
constexpr int64_t kMostChunks = 256;  // bounds the workspace

/// Σ term(j, lanes that exist from j on) over a row in steps of kLanes. Two running sums hide the adder's
/// latency.
template <class Term>
GLM_INLINE float sum_over(int64_t width, const Term& term) {
  Floats even = {}, odd = {};
  int64_t j = 0;
  for (; j + 2 * kLanes <= width; j += 2 * kLanes) {
    even += term(j, int64_t{kLanes});
    odd += term(j + kLanes, int64_t{kLanes});
  }
  for (; j < width; j += kLanes) even += term(j, width - j);
  return sum(even + odd);
}

template <class T>
void normalize_row(const LayerNormForward& p, int64_t row) {
  const T* x = static_cast<const T*>(p.x) + row * p.width;
  T* y = static_cast<T*>(p.y) + row * p.width;
  float width = static_cast<float>(p.width);

  float mean = sum_over(p.width, [&](int64_t j, int64_t lanes) { return load_upto(x + j, lanes); }) / width;
  auto deviation = [&](int64_t j, int64_t lanes) {
    return keep_first(load_upto(x + j, lanes) - mean, lanes);
  };
  float correction = sum_over(p.width, deviation) / width;  // what rounding left of the mean
  float squares = sum_over(p.width, [&](int64_t j, int64_t lanes) {
    Floats d = deviation(j, lanes) - correction;
    return keep_first(d * d, lanes);
  });
  float rstd = 1.0f / __builtin_sqrtf(squares / width + p.epsilon);

  for (int64_t j = 0; j < p.width; j += kLanes) {
    int64_t lanes = p.width - j;
    Floats normalized = (deviation(j, lanes) - correction) * rstd;
    store_upto(y + j, normalized * load_upto(p.weight + j, lanes) + load_upto(p.bias + j, lanes), lanes);
  }
  p.mean[row] = mean + correction;
  p.rstd[row] = rstd;
}

template <class T>
void normalize_row_backward(const LayerNormBackward& p, int64_t row) {
  const T* x = static_cast<const T*>(p.x) + row * p.width;
  const T* grad_y = static_cast<const T*>(p.grad_y) + row * p.width;
  T* grad_x = static_cast<T*>(p.grad_x) + row * p.width;
  float mean = p.mean[row], rstd = p.rstd[row], width = static_cast<float>(p.width);
  auto normalized = [&](int64_t j, int64_t lanes) { return (load_upto(x + j, lanes) - mean) * rstd; };
  auto scaled_gradient = [&](int64_t j, int64_t lanes) {
    return load_upto(grad_y + j, lanes) * load_upto(p.weight + j, lanes);
  };

  float mean_of_g = sum_over(p.width, scaled_gradient) / width;
  float mean_of_product =
      sum_over(p.width,
               [&](int64_t j, int64_t lanes) { return scaled_gradient(j, lanes) * normalized(j, lanes); }) /
      width;

  for (int64_t j = 0; j < p.width; j += kLanes) {
    int64_t lanes = p.width - j;
    Floats gradient = rstd * (scaled_gradient(j, lanes) - mean_of_g - normalized(j, lanes) * mean_of_product);
    if (p.accumulate) gradient += load_upto(grad_x + j, lanes);
    store_upto(grad_x + j, gradient, lanes);
  }
}

/// Adds the row's part of the parameters' gradients to the sums of its chunk.
template <class T>
void add_parameter_gradients(const LayerNormBackward& p, int64_t row, float* weight_sums, float* bias_sums) {
  const T* x = static_cast<const T*>(p.x) + row * p.width;
  const T* grad_y = static_cast<const T*>(p.grad_y) + row * p.width;
  for (int64_t j = 0; j < p.width; j += kLanes) {
    int64_t lanes = p.width - j;
    Floats gradient = load_upto(grad_y + j, lanes);
    Floats normalized = (load_upto(x + j, lanes) - p.mean[row]) * p.rstd[row];
    store_upto(weight_sums + j, load_upto(weight_sums + j, lanes) + gradient * normalized, lanes);
    store_upto(bias_sums + j, load_upto(bias_sums + j, lanes) + gradient, lanes);
  }
}

int64_t rows_of_chunk(int64_t rows) {
  int64_t needed = (rows + kMostChunks - 1) / kMostChunks;
  return needed > kRowsOfChunk ? needed : kRowsOfChunk;
}

int64_t chunks_of(int64_t rows) { return (rows + rows_of_chunk(rows) - 1) / rows_of_chunk(rows); }

bool wants_parameter_gradients(const LayerNormBackward& p) {
  return p.grad_weight != nullptr || p.grad_bias != nullptr;
}

}  // namespace

void CpuKernels::run(const LayerNormForward& p) {
  with_element_type(p.dtype, [&](auto activation) {
    parallel_.ranges(p.rows, rows_per_piece(p.width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) normalize_row<decltype(activation)>(p, row);
    });
  });
}

void CpuKernels::run(const LayerNormBackward& p) {
  float* sums = static_cast<float*>(p.workspace);  // [chunks, 2, width]: weight, bias
  bool parameters = wants_parameter_gradients(p);

  with_element_type(p.dtype, [&](auto activation) {
    using T = decltype(activation);
    parallel_.ranges(p.rows, rows_of_chunk(p.rows), [&](int64_t begin, int64_t end) {
      float* weight_sums = sums + begin / rows_of_chunk(p.rows) * 2 * p.width;
      float* bias_sums = weight_sums + p.width;
      if (parameters) std::memset(weight_sums, 0, 2 * static_cast<size_t>(p.width) * sizeof(float));
      for (int64_t row = begin; row < end; row++) {
        // First, because grad_x may be grad_y.
        if (parameters) add_parameter_gradients<T>(p, row, weight_sums, bias_sums);
        if (p.grad_x != nullptr) normalize_row_backward<T>(p, row);
      }
    });
  });

  if (!parameters) return;
  auto add_chunks = [&](const float* chunk_sums, float* gradient, int64_t j) {
    if (gradient == nullptr) return;
    int64_t lanes = p.width - j;
    Floats total = {};
    for (int64_t chunk = 0; chunk < chunks_of(p.rows); chunk++) {
      total += load_upto(chunk_sums + chunk * 2 * p.width + j, lanes);
    }
    store_upto(gradient + j, load_upto(gradient + j, lanes) + total, lanes);
  };
  parallel_.ranges(p.width, 16 * kLanes, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j += kLanes) {
      add_chunks(sums, p.grad_weight, j);
      add_chunks(sums + p.width, p.grad_bias, j);
    }
  });
}

size_t CpuKernels::workspace_bytes(const LayerNormBackward& p) const {
  if (!wants_parameter_gradients(p)) return 0;
  return static_cast<size_t>(chunks_of(p.rows) * 2 * p.width) * sizeof(float);
}

}  // namespace glm::GLM_ISA
