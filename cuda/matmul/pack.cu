// out[r, c] = activation(x[r, c]), converted; 0 for width <= c < stride, which is a multiple of 16 bytes.
// Memory traffic: x read and out written once, four neighbours per thread.

#include "device/grid.cuh"
#include "device/pack.cuh"
#include "matmul/activate.cuh"
#include "matmul/pack.h"

namespace glm::cuda {
namespace {

constexpr int kThreads = 256;

template <class From, class To>
__global__ void pack_rows(const From* x, int64_t x_stride, To* out, int64_t stride, int64_t rows,
                          int64_t width, Activation activation) {
  int64_t fours = stride / 4;
  bool whole = x_stride % 4 == 0 && reinterpret_cast<uint64_t>(x) % (4 * sizeof(From)) == 0;
  for_each_index(rows * fours, [&](int64_t i) {
    int64_t row = i / fours, column = i % fours * 4;
    Pack<4> four = load_upto<4>(x + row * x_stride + column, width - column, whole);
    if (activation != Activation::kNone) {
#pragma unroll
      for (float& element : four.x) element = activate(activation, element);
    }
    store_pack(out + row * stride + column, four);
  });
}

int64_t packed_stride(int64_t width, DType dtype) {
  int64_t elements = 16 / size_of(dtype);
  return (width + elements - 1) / elements * elements;
}

}  // namespace

bool is_direct(const Operand& operand, DType dtype) {
  return operand.dtype == dtype && operand.activation == Activation::kNone &&
         operand.stride * size_of(dtype) % 16 == 0 && reinterpret_cast<uintptr_t>(operand.data) % 16 == 0;
}

size_t packed_bytes(int64_t rows, int64_t width, DType dtype) {
  constexpr int64_t kAlignment = 256;
  int64_t bytes = rows * packed_stride(width, dtype) * size_of(dtype);
  return static_cast<size_t>((bytes + kAlignment - 1) / kAlignment * kAlignment);
}

Operand packed_operand(int64_t width, DType dtype, const void* data) {
  return {.dtype = dtype, .data = data, .stride = packed_stride(width, dtype)};
}

Operand pack(const Queue& queue, const Operand& x, int64_t rows, int64_t width, DType dtype, void* out) {
  int64_t stride = packed_stride(width, dtype);
  with_weight_type(x.dtype, [&](auto from) {
    with_element_type(dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      start(queue, {"a matrix product", blocks_for(rows * stride / 4, kThreads), kThreads},
            pack_rows<From, To>, static_cast<const From*>(x.data), x.stride, static_cast<To*>(out), stride,
            rows, width, x.activation);
    });
  });
  return packed_operand(width, dtype, out);
}

}  // namespace glm::cuda
