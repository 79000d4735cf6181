#pragma once

// Loops over a whole grid.

#include <cstdint>
#include <type_traits>

namespace glm::cuda {

/// Blocks that give each of `count` indices a thread, or as many as fill any GPU several times: the loops
/// below go on.
inline unsigned blocks_for(int64_t count, int threads) {
  constexpr int64_t kMost = 65535;
  int64_t blocks = (count + threads - 1) / threads;
  return static_cast<unsigned>(blocks < kMost ? blocks : kMost);
}

/// function(i) for each i in [0, count), neighbours to neighbouring threads.
template <class Function>
__device__ __forceinline__ void for_each_index(int64_t count, const Function& function) {
  int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride)
    function(i);
}

/// function(n, i) for the elements i … i + n - 1, n a constant: packs of kPack, and one at a time behind the
/// last of these.
template <int kPack, class Function>
__device__ __forceinline__ void for_each_pack(int64_t elements, const Function& function) {
  int64_t packs = elements / kPack;
  for_each_index(packs, [&](int64_t i) { function(std::integral_constant<int, kPack>{}, i * kPack); });
  for_each_index(elements - packs * kPack,
                 [&](int64_t i) { function(std::integral_constant<int, 1>{}, packs * kPack + i); });
}

}  // namespace glm::cuda
