// Dense layer, with the activation on its input (so that the pre-activation is the only tensor kept for the
// backward):
//
//   forward    y = dropout(activation(x) · weightᵀ + bias) + residual
//   backward   g = dropout(grad_y)
//              grad_x = (g · weight) ∘ activation'(x)
//              grad_weight += gᵀ · activation(x)
//              grad_bias += Σ over rows of g
//
// x [rows, in], weight [out, in], y [rows, out] in float32 or bfloat16, sums in float32; bias and the
// parameters' gradients float32. Work: 2 · rows · in · out operations per product, one forward, two backward.
// Memory traffic: every operand and result once from memory; activation(x) and dropout(grad_y) are written
// out once, and read by the products (matmul/multiply.h); all else is the products' epilogue.

#include "kernels.h"
#include "matmul/epilogue.cuh"
#include "matmul/multiply.h"

namespace glm::cuda {
namespace {

size_t round_up(int64_t bytes) { return static_cast<size_t>((bytes + 255) / 256 * 256); }
int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// ---- forward -----------------------------------------------------------------------------------

Product forward_product(const LinearForward& p) {
  return {.m = p.rows,
          .n = p.out,
          .k = p.in,
          .a = {.dtype = p.dtype, .data = p.x, .stride = p.in, .activation = p.activation},
          .b = {.dtype = p.weight_dtype, .data = p.weight, .stride = p.in}};
}

// ---- backward ----------------------------------------------------------------------------------

Product grad_x_product(const LinearBackward& p, const void* g) {
  return {.m = p.rows,
          .n = p.in,
          .k = p.out,
          .a = {.dtype = p.dtype, .data = g, .stride = p.out},
          .b = {.dtype = p.weight_dtype, .data = p.weight, .stride = p.in}};
}

Product grad_weight_product(const LinearBackward& p, const void* g) {
  return {.m = p.out,
          .n = p.in,
          .k = p.rows,
          .a = {.dtype = p.dtype, .data = g, .stride = p.out},
          .b = {.dtype = p.dtype, .data = p.x, .stride = p.in, .activation = p.activation}};
}

// A block has kGradientRows rows of grad_y and 32 columns; the order of sums depends on sizes alone.
constexpr int kGradientRows = 64, kGradientColumns = 32, kGradientWarps = 8;

/// g = dropout(grad_y), where g is wanted, and sums[chunk] = Σ over the chunk's rows of g.
template <class T>
__global__ void drop_and_sum(const T* grad_y, int64_t rows, int64_t columns, Dropout dropout, T* g,
                             float* sums) {
  __shared__ float of_warps[kGradientWarps][kGradientColumns];
  int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
  int64_t column = static_cast<int64_t>(blockIdx.x) * kGradientColumns + lane;
  int64_t first = static_cast<int64_t>(blockIdx.y) * kGradientRows;
  float sum = 0;
  if (column < columns) {
    for (int64_t row = first + warp; row < rows && row < first + kGradientRows; row += kGradientWarps) {
      int64_t at = row * columns + column;
      float value = load(grad_y + at);
      if (g != nullptr) {
        value *= dropout_factor(dropout, dropout_draw(static_cast<uint64_t>(at)));
        store(g + at, value);
        value = load(g + at);
      }
      sum += value;
    }
  }
  of_warps[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= columns || sums == nullptr) return;
  for (int i = 1; i < kGradientWarps; i++) sum += of_warps[i][lane];
  sums[blockIdx.y * columns + column] = sum;
}

/// grad_bias += Σ over the chunks, in order.
__global__ void add_chunk_sums(const float* sums, int64_t chunks, int64_t columns, float* grad_bias) {
  int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  float sum = 0;
  for (int64_t i = 0; i < chunks; i++) sum += sums[i * columns + column];
  grad_bias[column] += sum;
}

size_t gradient_bytes(const LinearBackward& p) {
  return p.dropout.active() ? round_up(p.rows * p.out * size_of(p.dtype)) : 0;
}
size_t chunk_sums_bytes(const LinearBackward& p) {
  return p.grad_bias != nullptr ? round_up(divide_up(p.rows, kGradientRows) * p.out * 4) : 0;
}

}  // namespace

// ---- the kernels -------------------------------------------------------------------------------

size_t CudaKernels::workspace_bytes(const LinearForward& p) const {
  return multiply_workspace(queue_, Transposes::kNT, forward_product(p));
}

void CudaKernels::run(const LinearForward& p) {
  with_element_type(p.dtype, [&](auto type) {
    using T = decltype(type);
    multiply_nt(queue_, forward_product(p),
                ForwardEpilogue<T>{.bias = p.bias,
                                   .residual = static_cast<const T*>(p.residual),
                                   .y = static_cast<T*>(p.y),
                                   .dropout = p.dropout},
                p.workspace);
  });
}

size_t CudaKernels::workspace_bytes(const LinearBackward& p) const {
  size_t grad_x = multiply_workspace(queue_, Transposes::kNN, grad_x_product(p, p.grad_y));
  size_t grad_weight = multiply_workspace(queue_, Transposes::kTN, grad_weight_product(p, p.grad_y));
  size_t most = grad_x > grad_weight ? grad_x : grad_weight;
  if (most < chunk_sums_bytes(p)) most = chunk_sums_bytes(p);
  return gradient_bytes(p) + most;
}

void CudaKernels::run(const LinearBackward& p) {
  void* workspace = static_cast<char*>(p.workspace) + gradient_bytes(p);
  with_element_type(p.dtype, [&](auto type) {
    using T = decltype(type);
    const void* g = p.dropout.active() ? p.workspace : p.grad_y;
    if (p.dropout.active() || p.grad_bias != nullptr) {
      dim3 grid(static_cast<unsigned>(divide_up(p.out, kGradientColumns)),
                static_cast<unsigned>(divide_up(p.rows, kGradientRows)));
      float* sums = p.grad_bias != nullptr ? static_cast<float*>(workspace) : nullptr;
      start({"linear", grid, dim3(kGradientColumns, kGradientWarps)}, drop_and_sum<T>,
            static_cast<const T*>(p.grad_y), p.rows, p.out, p.dropout,
            p.dropout.active() ? static_cast<T*>(p.workspace) : nullptr, sums);
      if (sums != nullptr) {
        start({"linear", static_cast<unsigned>(divide_up(p.out, 256)), 256}, add_chunk_sums, sums,
              divide_up(p.rows, kGradientRows), p.out, p.grad_bias);
      }
    }
    if (p.grad_weight != nullptr) {
      multiply_tn(queue_, grad_weight_product(p, g), ToFloat{p.grad_weight, p.in, true}, workspace);
    }
    if (p.grad_x != nullptr) {
      multiply_nn(queue_, grad_x_product(p, g),
                  GradInputEpilogue<T>{.activation = p.activation,
                                       .x = static_cast<const T*>(p.x),
                                       .grad_x = static_cast<T*>(p.grad_x),
                                       .accumulate = p.accumulate},
                  workspace);
    }
  });
}

}  // namespace glm::cuda
