// result = Σ over all tensors of Σ x², in float64: a square of a float32 is exact there, and the sum of a
// billion of them loses nothing that matters. 2 operations per element, each read once.
//
// Pieces of fixed size, sixteen partial sums in each, added in a fixed order: the same bits for any number of
// threads, and on any instruction set.

#include "cpu/kernels.h"
#include "cpu/tensor_pieces.h"

namespace glm::GLM_ISA {
namespace {

double sum_of_squares(const float* x, int64_t count) {
  constexpr int kSums = 16;
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (int k = 0; k < kSums; k++) sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  }
  for (int k = 0; i < count; i++, k++) sums[k] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

}  // namespace

void CpuKernels::run(const SquaredNorm& p) {
  int64_t pieces = count_pieces(p.tensors, p.count);
  double* partial = static_cast<double*>(p.workspace);
  parallel_.parts(pieces, [&](int64_t piece) {
    with_piece(p.tensors, piece, [&](const FloatSpan& tensor, int64_t begin, int64_t end) {
      partial[piece] = sum_of_squares(tensor.data + begin, end - begin);
    });
  });
  double total = 0;
  for (int64_t piece = 0; piece < pieces; piece++) total += partial[piece];
  *p.result = total;
}

size_t CpuKernels::workspace_bytes(const SquaredNorm& p) const {
  return static_cast<size_t>(count_pieces(p.tensors, p.count)) * sizeof(double);
}

}  // namespace glm::GLM_ISA
