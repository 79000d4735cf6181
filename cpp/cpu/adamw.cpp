// AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), on all parameters in one
// parallel loop:
//
//   g = gradient_scale · gradient
//   m = β₁ m + (1 - β₁) g,   v = β₂ v + (1 - β₂) g²
//   parameter -= rate · weight_decay · parameter                                      (where the tensor
//   decays) parameter -= rate / correction1 · m / (sqrt(v / correction2) + epsilon)
//
// All float32, with an optional bfloat16 copy of the new parameter. Work: about 15 operations per element,
// one division and one square root. Memory traffic: 16 bytes read and 12 (14 with the copy) written per
// element, which is what bounds it.

#include "cpu/kernels.h"
#include "cpu/tensor_pieces.h"

namespace glm::GLM_ISA {
namespace {

void update(const AdamW& p, const AdamWTensor& tensor, int64_t begin, int64_t end) {
  float kept = tensor.decay ? 1.0f - p.rate * p.weight_decay : 1.0f;
  float step = p.rate / p.correction1, inverse_correction2 = 1.0f / p.correction2;
  bfloat16* low_precision = static_cast<bfloat16*>(tensor.low_precision);

  for (int64_t i = begin; i < end; i += kLanes) {
    int64_t lanes = end - i;
    Floats gradient = p.gradient_scale * load_upto(tensor.gradient + i, lanes);
    Floats m = p.beta1 * load_upto(tensor.first_moment + i, lanes) + p.complement1 * gradient;
    Floats v = p.beta2 * load_upto(tensor.second_moment + i, lanes) + p.complement2 * gradient * gradient;
    Floats parameter = kept * load_upto(tensor.parameter + i, lanes) -
                       step * m / (sqrt(v * inverse_correction2) + p.epsilon);
    store_upto(tensor.first_moment + i, m, lanes);
    store_upto(tensor.second_moment + i, v, lanes);
    store_upto(tensor.parameter + i, parameter, lanes);
    if (low_precision != nullptr) store_upto(low_precision + i, parameter, lanes);
  }
}

}  // namespace

void CpuKernels::run(const AdamW& p) {
  parallel_.parts(count_pieces(p.tensors, p.count), [&](int64_t piece) {
    with_piece(p.tensors, piece,
               [&](const AdamWTensor& tensor, int64_t begin, int64_t end) { update(p, tensor, begin, end); });
  });
}

}  // namespace glm::GLM_ISA
