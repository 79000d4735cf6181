#pragma once

// Which kernels compute attention, and how they are started. A kernel is a `Body` with
//
//   static constexpr int kThreads;                                     of a block
//   static __device__ void run(const Params& p, const Tile* tiles);

#include <type_traits>

#include "attention/schedule.h"
#include "backend/params.h"

namespace glm::cuda::attention {

enum class Kind { kGeneral, kTensorCores64, kTensorCores128 };

/// Picks the kernels; this is also what "supported by the tensor cores" means.
template <class Params>
Kind kind_for(const Params& p) {
  if (p.dtype != DType::kBFloat16) return Kind::kGeneral;
  if (p.head_width == 64) return Kind::kTensorCores64;
  if (p.head_width == 128) return Kind::kTensorCores128;
  return Kind::kGeneral;
}

/// Calls function(width), or function(0) for the general kernels, as a constant.
template <class Params, class Function>
void with_kind(const Params& p, const Function& function) {
  switch (kind_for(p)) {
    case Kind::kTensorCores64:
      return function(std::integral_constant<int, 64>{});
    case Kind::kTensorCores128:
      return function(std::integral_constant<int, 128>{});
    case Kind::kGeneral:
      return function(std::integral_constant<int, 0>{});
  }
}

// The entries take the fields one by one: those of a struct would be read again wherever they are used, and
// its address kept in a register.

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1)
    forward_kernel(const void* qkv, const float* rotary, const int32_t* positions,
                   const int32_t* block_positions, void* out, float* log_sum_exp, int64_t tokens,
                   int32_t heads, int32_t head_width, float scale, uint64_t seed, uint64_t site,
                   uint32_t threshold, float kept, const Tile* tiles) {
  AttentionForward p;
  p.layout.tokens = tokens;
  p.heads = heads;
  p.head_width = head_width;
  p.scale = scale;
  p.qkv = qkv;
  p.rotary = rotary;
  p.positions = positions;
  p.block_positions = block_positions;
  p.dropout = {seed, site, threshold, kept};
  p.out = out;
  p.log_sum_exp = log_sum_exp;
  Body::run(p, tiles);
}

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1)
    backward_kernel(const void* qkv, const float* rotary, const int32_t* positions,
                    const int32_t* block_positions, const void* out, const float* log_sum_exp,
                    const void* grad_out, void* grad_qkv, void* workspace, int64_t tokens, int32_t heads,
                    int32_t head_width, float scale, uint64_t seed, uint64_t site, uint32_t threshold,
                    float kept, const Tile* tiles) {
  AttentionBackward p;
  p.layout.tokens = tokens;
  p.heads = heads;
  p.head_width = head_width;
  p.scale = scale;
  p.qkv = qkv;
  p.rotary = rotary;
  p.positions = positions;
  p.block_positions = block_positions;
  p.dropout = {seed, site, threshold, kept};
  p.out = out;
  p.log_sum_exp = log_sum_exp;
  p.grad_out = grad_out;
  p.grad_qkv = grad_qkv;
  p.workspace = workspace;
  Body::run(p, tiles);
}

}  // namespace glm::cuda::attention
