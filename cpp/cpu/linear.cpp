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
// Memory traffic: every operand and result once; activations are computed while x is packed (gemm/pack.h),
// everything after the product on blocks of it that are still in the cache (gemm/gemm.h).

#include "cpu/dropout.h"
#include "cpu/element_type.h"
#include "cpu/gemm/gemm.h"
#include "cpu/gemm/thin.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {
namespace {

// ---- forward -----------------------------------------------------------------------------------

/// Asks for `columns` elements that a later row of a block needs: rows of one block lie far apart, where the
/// processor does not look ahead by itself.
template <int kWrite, class T>
GLM_INLINE void fetch(const T* p, int64_t columns) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t j = 0; j < columns; j += kLine) __builtin_prefetch(p + j, kWrite);
}
constexpr int64_t kRowsAhead = 12;

/// y = dropout(product + bias) + residual
template <class T>
void finish_forward(const void* context, const float* block, int64_t row, int64_t rows, int64_t column,
                    int64_t columns) {
  const LinearForward& p = *static_cast<const LinearForward*>(context);
  for (int64_t i = 0; i < rows; i++, block += kGroupColumns) {
    int64_t first = (row + i) * p.out + column;
    float factors[kGroupColumns];
    if (p.dropout.active()) dropout_range(p.dropout, static_cast<uint64_t>(first), columns, factors);
    T* y = static_cast<T*>(p.y) + first;
    const T* residual = static_cast<const T*>(p.residual) + first;
    if (i + kRowsAhead < rows) {
      fetch<1>(y + kRowsAhead * p.out, columns);
      if (p.residual != nullptr) fetch<0>(residual + kRowsAhead * p.out, columns);
    }
    for (int64_t j = 0; j < columns; j += kLanes) {
      Floats sum = load(block + j);
      if (p.bias != nullptr) sum += load_upto(p.bias + column + j, columns - j);
      if (p.dropout.active()) sum *= load(factors + j);
      if (p.residual != nullptr) sum += load_upto(residual + j, columns - j);
      store_upto(y + j, sum, columns - j);
    }
  }
}

Product forward_product(const LinearForward& p) {
  Product product{.m = p.rows, .n = p.out, .k = p.in};
  product.a = {.dtype = p.dtype, .data = p.x, .stride = p.in, .extent = p.rows, .activation = p.activation};
  product.b = {.dtype = p.weight_dtype, .data = p.weight, .stride = p.in, .extent = p.out};
  if (p.dtype == DType::kFloat32 && p.bias == nullptr && p.residual == nullptr && !p.dropout.active()) {
    product.c = static_cast<float*>(p.y);
  } else {
    product.epilogue = {p.dtype == DType::kBFloat16 ? finish_forward<bfloat16> : finish_forward<float>, &p};
  }
  return product;
}

// ---- backward ----------------------------------------------------------------------------------

/// grad_x = or += product ∘ activation'(x)
template <class T>
void finish_grad_x(const void* context, const float* block, int64_t row, int64_t rows, int64_t column,
                   int64_t columns) {
  const LinearBackward& p = *static_cast<const LinearBackward*>(context);
  for (int64_t i = 0; i < rows; i++, block += kGroupColumns) {
    int64_t first = (row + i) * p.in + column;
    const T* x = static_cast<const T*>(p.x) + first;
    T* grad_x = static_cast<T*>(p.grad_x) + first;
    if (i + kRowsAhead < rows) {
      fetch<1>(grad_x + kRowsAhead * p.in, columns);
      if (p.activation != Activation::kNone) fetch<0>(x + kRowsAhead * p.in, columns);
    }
    for (int64_t j = 0; j < columns; j += kLanes) {
      Floats sum = load(block + j);
      if (p.activation == Activation::kGeluTanh) sum *= gelu_tanh_derivative(load_upto(x + j, columns - j));
      if (p.activation == Activation::kGeluErf) sum *= gelu_erf_derivative(load_upto(x + j, columns - j));
      if (p.activation == Activation::kTanh) sum *= tanh_derivative(load_upto(x + j, columns - j));
      if (p.activation == Activation::kRelu) sum *= relu_derivative(load_upto(x + j, columns - j));
      if (p.accumulate) sum += load_upto(grad_x + j, columns - j);
      store_upto(grad_x + j, sum, columns - j);
    }
  }
}

Product grad_x_product(const LinearBackward& p, const void* g) {
  Product product{.m = p.rows, .n = p.in, .k = p.out};
  product.a = {.dtype = p.dtype, .data = g, .stride = p.out, .extent = p.rows};
  product.b = {
      .dtype = p.weight_dtype, .data = p.weight, .stride = p.in, .extent = p.in, .depth_is_major = true};
  if (p.dtype == DType::kFloat32 && p.activation == Activation::kNone) {
    product.c = static_cast<float*>(p.grad_x);
    product.accumulate = p.accumulate;
  } else {
    product.epilogue = {p.dtype == DType::kBFloat16 ? finish_grad_x<bfloat16> : finish_grad_x<float>, &p};
  }
  return product;
}

Product grad_weight_product(const LinearBackward& p, const void* g) {
  Product product{.m = p.out, .n = p.in, .k = p.rows};
  product.a = {.dtype = p.dtype, .data = g, .stride = p.out, .extent = p.out, .depth_is_major = true};
  product.b = {.dtype = p.dtype,
               .data = p.x,
               .stride = p.in,
               .extent = p.in,
               .depth_is_major = true,
               .activation = p.activation};
  product.c = p.grad_weight;
  product.accumulate = true;
  return product;
}

constexpr int64_t kRowsOfChunk = 64;  // of the bias gradient; fixed, so that the sums' order is

size_t gradient_bytes(const LinearBackward& p) {
  return static_cast<size_t>(round_up(p.rows * p.out * size_of(p.dtype), 4096));
}
size_t chunk_sums_bytes(const LinearBackward& p) {
  return static_cast<size_t>(round_up(divide_up(p.rows, kRowsOfChunk) * p.out * 4, 4096));
}

/// g = dropout(grad_y), once for both products.
template <class T>
void drop(const Parallel& parallel, const LinearBackward& p, T* g) {
  constexpr int64_t kPiece = 128 * kDropoutBlock;
  parallel.ranges(p.rows * p.out, kPiece, [&](int64_t begin, int64_t end) {
    const T* grad_y = static_cast<const T*>(p.grad_y);
    for (int64_t i = begin; i < end; i += kDropoutBlock) {
      float factors[kDropoutBlock];
      dropout_block(p.dropout, static_cast<uint64_t>(i / kDropoutBlock), factors);
      int64_t many = end - i < kDropoutBlock ? end - i : kDropoutBlock;
      for (int64_t j = 0; j < many; j += kLanes) {
        store_upto(g + i + j, load_upto(grad_y + i + j, many - j) * load(factors + j), many - j);
      }
    }
  });
}

/// grad_bias += Σ over rows of g: over chunks of rows first, then over the chunks in order.
template <class T>
void add_column_sums(const Parallel& parallel, const LinearBackward& p, const T* g, float* sums) {
  parallel.ranges(p.rows, kRowsOfChunk, [&](int64_t begin, int64_t end) {
    float* of_chunk = sums + begin / kRowsOfChunk * p.out;
    for (int64_t j = 0; j < p.out; j += 4 * kLanes) {
      Floats sum[4] = {};
      for (int64_t row = begin; row < end; row++) {
        for (int64_t v = 0; v < 4; v++)
          sum[v] += load_upto(g + row * p.out + j + v * kLanes, p.out - j - v * kLanes);
      }
      for (int64_t v = 0; v < 4 && j + v * kLanes < p.out; v++) {
        store_upto(of_chunk + j + v * kLanes, sum[v], p.out - j - v * kLanes);
      }
    }
  });
  int64_t chunks = divide_up(p.rows, kRowsOfChunk);
  parallel.ranges(p.out, 16 * kLanes, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j += kLanes) {
      Floats sum = {};
      for (int64_t chunk = 0; chunk < chunks; chunk++) sum += load_upto(sums + chunk * p.out + j, end - j);
      store_upto(p.grad_bias + j, load_upto(p.grad_bias + j, end - j) + sum, end - j);
    }
  });
}

}  // namespace

// ---- the kernels -------------------------------------------------------------------------------

size_t CpuKernels::workspace_bytes(const LinearForward& p) const {
  Product product = forward_product(p);
  return is_thin(product) ? multiply_thin_workspace(product)
                          : multiply_workspace(product, parallel_.threads());
}

void CpuKernels::run(const LinearForward& p) {
  Product product = forward_product(p);
  if (is_thin(product)) {
    multiply_thin(parallel_, product, p.workspace);
  } else {
    multiply(parallel_, product, p.workspace);
  }
}

size_t CpuKernels::workspace_bytes(const LinearBackward& p) const {
  size_t grad_x = multiply_workspace(grad_x_product(p, nullptr), parallel_.threads());
  size_t grad_weight = multiply_workspace(grad_weight_product(p, nullptr), parallel_.threads());
  size_t most = grad_x > grad_weight ? grad_x : grad_weight;
  if (most < chunk_sums_bytes(p)) most = chunk_sums_bytes(p);
  return most + (p.dropout.active() ? gradient_bytes(p) : 0);
}

void CpuKernels::run(const LinearBackward& p) {
  char* workspace = static_cast<char*>(p.workspace);
  const void* g = p.grad_y;
  with_element_type(p.dtype, [&](auto type) {
    using T = decltype(type);
    if (p.dropout.active()) {
      drop(parallel_, p, reinterpret_cast<T*>(workspace));
      g = workspace;
      workspace += gradient_bytes(p);
    }
    if (p.grad_bias != nullptr) {
      add_column_sums(parallel_, p, static_cast<const T*>(g), reinterpret_cast<float*>(workspace));
    }
  });
  if (p.grad_weight != nullptr) multiply(parallel_, grad_weight_product(p, g), workspace);
  if (p.grad_x != nullptr) multiply(parallel_, grad_x_product(p, g), workspace);
}

}  // namespace glm::GLM_ISA
