// The key-value cache of decoding: new rows are stored, and rows move when a cache grows. A cache is
// [layers, H, capacity, 2, D]: a head's keys and values lie one row behind the other, as attention reads
// them. Memory traffic: each element read and written once (keys that turn are read twice, the second time
// from the cache).

#include "attention/cache_tiles.cuh"
#include "attention/head_rows.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace attention {
namespace {

constexpr int kThreads = 256;

/// A block has one token of a tile, its threads go over heads and widths.
template <class T>
__global__ void store_key_values(StoreKeyValues p) {
  CacheTile tile = cache_tile(p.layout, blockIdx.x / kTileTokens);
  int32_t i = static_cast<int32_t>(blockIdx.x % kTileTokens), token = tile.first + i;
  if (i >= tile.tokens) return;
  int32_t part = p.heads * p.head_width;
  const T* keys = static_cast<const T*>(p.qkv) + (int64_t{token} * 3 + 1) * part;
  int64_t capacity = tile.sequence.capacity;
  T* rows = static_cast<T*>(tile.sequence.cache) + p.layer * p.heads * capacity * 2 * p.head_width;
  for (int32_t n = static_cast<int32_t>(threadIdx.x); n < part; n += kThreads) {
    int32_t head = n / p.head_width, d = n % p.head_width;
    HeadRows<const T> key{keys + head * p.head_width, 0, 1, p.head_width, token, rotary_of(p)};
    T* row = rows + (head * capacity + p.layout.slots[token]) * 2 * p.head_width;
    store(row + d, key.at(0, d));
    row[p.head_width + d] = keys[part + n];
  }
}

}  // namespace
}  // namespace attention

void CudaKernels::run(const CopyBlocks& p) {
  check(cudaMemcpy2DAsync(p.out, static_cast<size_t>(p.out_stride), p.x, static_cast<size_t>(p.x_stride),
                          static_cast<size_t>(p.bytes), static_cast<size_t>(p.blocks),
                          cudaMemcpyDeviceToDevice, queue_.stream()),
        "moving a cache");
}

void CudaKernels::run(const StoreKeyValues& p) {
  using namespace attention;
  with_element_type(p.dtype, [&](auto zero) {
    start({"storing keys and values", most_cache_tiles(p.layout) * kTileTokens, kThreads},
          store_key_values<decltype(zero)>, p);
  });
}

}  // namespace glm::cuda
