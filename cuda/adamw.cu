// AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), on all parameters in one
// launch:
//
//   g = gradient_scale · gradient
//   m = β₁ m + (1 - β₁) g,   v = β₂ v + (1 - β₂) g²
//   parameter -= rate · weight_decay · parameter                                      (where the tensor
//   decays) parameter -= rate / correction1 · m / (sqrt(v / correction2) + epsilon)
//
// All float32, with an optional bfloat16 copy of the new parameter. Work: about 15 operations per element,
// one division and one square root. Memory traffic: 16 bytes read and 12 (14 with the copy) written per
// element, which is what bounds it.

#include "device/pack.cuh"
#include "device/tensor_pieces.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr int kThreads = 256;

/// What is the same for all elements of a tensor.
struct Rates {
  float beta1, beta2, complement1, complement2, epsilon, gradient_scale;
  float kept_if_decayed, step, inverse_correction2;
};

template <int kPack>
__device__ __forceinline__ void update(const Rates& p, const AdamWTensor& tensor, int64_t i) {
  float kept = tensor.decay ? p.kept_if_decayed : 1.0f;
  float* parameter = in_global_memory(tensor.parameter) + i;
  float* first_moment = in_global_memory(tensor.first_moment) + i;
  float* second_moment = in_global_memory(tensor.second_moment) + i;
  Pack<kPack> x = load_pack<kPack>(parameter),
              gradient = load_pack<kPack>(in_global_memory(tensor.gradient) + i);
  Pack<kPack> m = load_pack<kPack>(first_moment), v = load_pack<kPack>(second_moment);
#pragma unroll
  for (int k = 0; k < kPack; k++) {
    float g = p.gradient_scale * gradient.x[k];
    m.x[k] = p.beta1 * m.x[k] + p.complement1 * g;
    v.x[k] = p.beta2 * v.x[k] + p.complement2 * g * g;
    x.x[k] = kept * x.x[k] - p.step * m.x[k] / (sqrtf(v.x[k] * p.inverse_correction2) + p.epsilon);
  }
  store_pack(first_moment, m);
  store_pack(second_moment, v);
  store_pack(parameter, x);
  if (tensor.low_precision != nullptr) {
    store_pack(in_global_memory(static_cast<bfloat16*>(tensor.low_precision)) + i, x);
  }
}

__global__ void adamw(const PlacedSpan<AdamWTensor>* tensors, int64_t count, Rates p) {
  constexpr int kPack = 4;
  with_piece(tensors, count, blockIdx.x, [&](const AdamWTensor& tensor, int64_t begin, int64_t end) {
    int64_t packs_end = begin + (end - begin) / kPack * kPack;
    for (int64_t i = begin + int64_t{threadIdx.x} * kPack; i < packs_end; i += kThreads * kPack) {
      update<kPack>(p, tensor, i);
    }
    if (packs_end + threadIdx.x < end) update<1>(p, tensor, packs_end + threadIdx.x);
  });
}

}  // namespace

void CudaKernels::run(const AdamW& p) {
  Rates rates{p.beta1,
              p.beta2,
              p.complement1,
              p.complement2,
              p.epsilon,
              p.gradient_scale,
              1.0f - p.rate * p.weight_decay,
              p.rate / p.correction1,
              1.0f / p.correction2};
  auto tensors = place(p.tensors, p.count);
  queue_.with_staged(tensors.data(), tensors.size() * sizeof(tensors[0]), [&](const void* staged) {
    start({"adamw", static_cast<unsigned>(count_pieces(p.tensors, p.count)), kThreads}, adamw,
          static_cast<const PlacedSpan<AdamWTensor>*>(staged), p.count, rates);
  });
}

}  // namespace glm::cuda
