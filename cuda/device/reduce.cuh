#pragma once

// Reductions over the threads of a warp and of a block, in a fixed order: the same bits in every run.

namespace glm::cuda {

constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr int kWarp = 32;

struct Sum {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};

struct Maximum {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

/// The values of `kLanes` neighbouring lanes, a power of two, combined; each of them gets the result. All
/// lanes of the warp come.
template <int kLanes = kWarp, class T, class Combine>
__device__ __forceinline__ T warp_reduce(T value, Combine combine) {
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    value = combine(value, __shfl_xor_sync(kWholeWarp, value, distance));
  }
  return value;
}

template <int kLanes = kWarp, class T>
__device__ __forceinline__ T warp_sum(T value) {
  return warp_reduce<kLanes>(value, Sum{});
}

/// The values of a one-dimensional block of whole warps combined; each thread gets the result. `neutral`
/// changes nothing. All threads come; two barriers.
template <class T, class Combine>
__device__ __forceinline__ T block_reduce(T value, T neutral, Combine combine) {
  __shared__ T of_warp[kWarp];
  int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  value = warp_reduce(value, combine);
  if (warps == 1) return value;
  if (lane == 0) of_warp[warp] = value;
  __syncthreads();
  value = warp_reduce(lane < warps ? of_warp[lane] : neutral, combine);
  __syncthreads();  // before the next reduction writes there
  return value;
}

template <class T>
__device__ __forceinline__ T block_sum(T value) {
  return block_reduce(value, T{0}, Sum{});
}

}  // namespace glm::cuda
