// result = Σ over all tensors of Σ x², in float64: a square of a float32 is exact there, and the sum of a
// billion of them loses nothing that matters. 2 operations per element, each read once.
//
// A block sums a piece, one more block the pieces; both in a fixed order.

#include "device/pack.cuh"
#include "device/reduce.cuh"
#include "device/tensor_pieces.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPack = 4;

/// partial[piece], a block each
__global__ void sum_squares(const PlacedSpan<FloatSpan>* tensors, int64_t count, double* partial) {
  with_piece(tensors, count, blockIdx.x, [&](const FloatSpan& tensor, int64_t begin, int64_t end) {
    const float* data = in_global_memory(tensor.data);
    double sum = 0;
    auto add = [&](float x) { sum += static_cast<double>(x) * static_cast<double>(x); };
    int64_t packs_end = begin + (end - begin) / kPack * kPack;
    for (int64_t i = begin + int64_t{threadIdx.x} * kPack; i < packs_end; i += kThreads * kPack) {
      Pack<kPack> x = load_pack<kPack>(data + i);
#pragma unroll
      for (int k = 0; k < kPack; k++) add(x.x[k]);
    }
    if (packs_end + threadIdx.x < end) add(data[packs_end + threadIdx.x]);
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
  });
}

__global__ void sum_pieces(const double* partial, int64_t pieces, double* result) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < pieces; i += kThreads) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *result = sum;
}

}  // namespace

void CudaKernels::run(const SquaredNorm& p) {
  int64_t pieces = count_pieces(p.tensors, p.count);
  double* partial = static_cast<double*>(p.workspace);
  auto tensors = place(p.tensors, p.count);
  queue_.with_staged(tensors.data(), tensors.size() * sizeof(tensors[0]), [&](const void* staged) {
    start({"squaredNorm", static_cast<unsigned>(pieces), kThreads}, sum_squares,
          static_cast<const PlacedSpan<FloatSpan>*>(staged), p.count, partial);
  });
  start({"squaredNorm", 1, kThreads}, sum_pieces, partial, pieces, p.result);
}

size_t CudaKernels::workspace_bytes(const SquaredNorm& p) const {
  return static_cast<size_t>(count_pieces(p.tensors, p.count)) * sizeof(double);
}

}  // namespace glm::cuda
