#pragma once

// C = A · B for the three ways in which operands lie in training, each with what follows the product:
//
//   NT  A [m, k], B [n, k]   forward, logits
//   NN  A [m, k], B [k, n]   gradients of inputs
//   TN  A [k, m], B [k, n]   gradients of weights
//
// bfloat16 times bfloat16 runs on tensor cores, everything else in float32. An operand that needs a
// conversion, an activation or a better alignment is written out for it first (matmul/pack.cuh), once,
// however often a product reads it.

#include "backend/params.h"
#include "base/half.h"
#include "host/launch.h"

namespace glm::cuda {

struct ToFloat;
template <class T>
struct ForwardEpilogue;
template <class T>
struct GradInputEpilogue;

/// A dense matrix as it lies in memory, row-major, with `stride` elements from row to row.
struct Operand {
  DType dtype{};
  const void* data = nullptr;
  int64_t stride = 0;
  Activation activation = Activation::kNone;
};

struct Product {
  int64_t m = 0, n = 0, k = 0;
  Operand a{}, b{};
};

enum class Transposes { kNT, kNN, kTN };

size_t multiply_workspace(const Queue& queue, Transposes transposes, const Product& product);

void multiply_nt(const Queue& queue, const Product& product, const ForwardEpilogue<float>& epilogue,
                 void* workspace);
void multiply_nt(const Queue& queue, const Product& product, const ForwardEpilogue<bfloat16>& epilogue,
                 void* workspace);
void multiply_nt(const Queue& queue, const Product& product, const ToFloat& epilogue, void* workspace);
void multiply_nn(const Queue& queue, const Product& product, const GradInputEpilogue<float>& epilogue,
                 void* workspace);
void multiply_nn(const Queue& queue, const Product& product, const GradInputEpilogue<bfloat16>& epilogue,
                 void* workspace);
void multiply_tn(const Queue& queue, const Product& product, const ToFloat& epilogue, void* workspace);

}  // namespace glm::cuda
