// Attention of a few new tokens against the caches of their sequences:
//
//   out[i] = Σ_j softmax_j(scale · q_i · K_j) V_j   over the cache rows j that token i sees,
//
// the first `shared` rows of its sequence and the rows that it names: its own, and those of the hypothesis it
// belongs to. q [N, 3, H, D] within qkv, cache [layers, H, capacity, 2, D], out [N, H, D], float32 or
// bfloat16; scores, softmax and sums in float32.
//
// Keys are split into chunks of 32, so that one token alone fills the device: a warp has a chunk, one head
// and up to 16 tokens of a sequence. It leaves the largest score, the sum of the exponentials and the
// weighted values of each token; these are then joined in order (Dao et al., "Flash-Decoding", 2023). Eight
// threads read a row of the cache, 16 bytes each, and a warp four rows at a time.
//
// Work: 4 · D operations per key, head and token. Memory traffic: the rows of the cache that are seen, once
// (for the tokens after the first from the first-level cache); 4 · D + 8 bytes a chunk, token and head,
// written and read.

#include "attention/cache_tiles.cuh"
#include "attention/head_rows.cuh"
#include "device/pack.cuh"
#include "device/reduce.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace attention {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kBlocks = 8;  // of a multiprocessor: 64 registers a thread; ptxas takes 40 else, and spills
constexpr int kGroup = 8;   // threads that read a row
constexpr int kRows = 32 / kGroup;  // that a warp reads at a time
constexpr float kLog2E = 1.4426950408889634f;

/// What the chunks leave, [chunks, N, H]: the largest score and the sum of 2^(score - largest), and the
/// values with these weights, [chunks, N, H, D].
struct Partials {
  float2* softmax;
  float* values;
};

template <class T, int kElements>
__global__ void __launch_bounds__(kThreads, kBlocks) attend(AttentionCached p, Partials partials) {
  extern __shared__ float queries[];  // [tokens, D]: turned, scaled
  CacheTile tile = cache_tile(p.layout, blockIdx.x / p.heads);
  int32_t head = static_cast<int32_t>(blockIdx.x % p.heads), width = p.head_width;
  int32_t first_key = static_cast<int32_t>(blockIdx.y) * kWarps * kChunkKeys, most_keys = 0;
  for (int32_t i = 0; i < tile.tokens; i++)
    most_keys = max(most_keys, SeenRows(p.layout, tile.sequence.shared, tile.first + i).count);
  if (first_key >= most_keys) return;

  int64_t stride = int64_t{3} * p.heads * width;
  const T* q = static_cast<const T*>(p.qkv) + tile.first * stride + int64_t{head} * width;
  HeadRows<const T> rows{q, stride, tile.tokens, width, tile.first, rotary_of(p)};
  for (int32_t n = static_cast<int32_t>(threadIdx.x); n < tile.tokens * width; n += kThreads)
    queries[n] = rows.at(n / width, n % width) * (p.scale * kLog2E);
  __syncthreads();

  int32_t chunk = first_key / kChunkKeys + static_cast<int32_t>(threadIdx.x) / 32;
  int32_t lane = static_cast<int32_t>(threadIdx.x) % 32, group = lane / kGroup, member = lane % kGroup;
  const T* cache = static_cast<const T*>(tile.sequence.cache) +
                   (int64_t{p.layer} * p.heads + head) * tile.sequence.capacity * 2 * width;
  for (int32_t i = 0; i < tile.tokens; i++) {
    int32_t token = tile.first + i;
    SeenRows seen(p.layout, tile.sequence.shared, token);
    int32_t key = chunk * kChunkKeys;
    int32_t count = min(seen.count - key, kChunkKeys);
    if (count <= 0) continue;

    // Lane j gets the score of key j.
    float score = -INFINITY;
    for (int32_t k = 0; k < count; k += kRows) {
      float sum = 0;
      if (k + group < count) {
        const T* row = cache + seen[key + k + group] * 2 * width;
        for (int32_t d = member * kElements; d < width; d += kGroup * kElements) {
          Pack<kElements> pack = load_pack<kElements>(row + d);
#pragma unroll
          for (int e = 0; e < kElements; e++) sum += queries[i * width + d + e] * pack.x[e];
        }
      }
      sum = warp_sum<kGroup>(sum);
      float here = __shfl_sync(kWholeWarp, sum, lane % kRows * kGroup);
      if (lane / kRows == k / kRows && lane < count) score = here;
    }
    float largest = warp_reduce(score, Maximum{});
    float weight = lane < count ? exp2f(score - largest) : 0, sum = warp_sum(weight);

    int64_t partial = (chunk * p.layout.tokens + token) * p.heads + head;
    if (lane == 0) partials.softmax[partial] = {largest, sum};
    for (int32_t block = 0; block < width; block += kGroup * kElements) {
      int32_t d = block + member * kElements;
      float values[kElements] = {};
      for (int32_t k = 0; k < count; k += kRows) {
        float w = __shfl_sync(kWholeWarp, weight, k + group);
        if (k + group < count && d < width) {
          const T* row = cache + (seen[key + k + group] * 2 + 1) * width;
          Pack<kElements> pack = load_pack<kElements>(row + d);
#pragma unroll
          for (int e = 0; e < kElements; e++) values[e] += w * pack.x[e];
        }
      }
#pragma unroll
      for (int e = 0; e < kElements; e++) {
#pragma unroll
        for (int step = kGroup; step < 32; step *= 2)
          values[e] += __shfl_xor_sync(kWholeWarp, values[e], step);
        if (group == e % kRows && d < width) partials.values[partial * width + d + e] = values[e];
      }
    }
  }
}

/// A block joins what the chunks left for one token; its threads go over heads and widths.
template <class T>
__global__ void join(AttentionCached p, Partials partials) {
  CacheTile tile = cache_tile(p.layout, blockIdx.x / kTileTokens);
  int32_t i = static_cast<int32_t>(blockIdx.x % kTileTokens), width = p.head_width;
  if (i >= tile.tokens) return;
  int32_t token = tile.first + i;
  int32_t chunks = chunks_of(SeenRows(p.layout, tile.sequence.shared, token).count);
  T* out = static_cast<T*>(p.out) + int64_t{token} * p.heads * width;
  int64_t step = p.layout.tokens * p.heads;
  for (int32_t n = static_cast<int32_t>(threadIdx.x); n < p.heads * width; n += kThreads) {
    int64_t first = int64_t{token} * p.heads + n / width;
    float largest = -INFINITY, sum = 0, value = 0;
    for (int32_t c = 0; c < chunks; c++) largest = fmaxf(largest, partials.softmax[first + c * step].x);
    for (int32_t c = 0; c < chunks; c++) {
      float2 softmax = partials.softmax[first + c * step];
      float weight = exp2f(softmax.x - largest);
      sum += weight * softmax.y;
      value += weight * partials.values[(first + c * step) * width + n % width];
    }
    store(out + n, value / sum);
  }
}

int64_t most_partials(const AttentionCached& p) {
  return chunks_of(p.layout.most_keys) * p.layout.tokens * p.heads;
}
size_t softmax_bytes(int64_t partials) { return static_cast<size_t>((partials * 8 + 63) / 64 * 64); }

}  // namespace
}  // namespace attention

void CudaKernels::run(const AttentionCached& p) {
  using namespace attention;
  char* workspace = static_cast<char*>(p.workspace);
  Partials left{reinterpret_cast<float2*>(workspace),
                reinterpret_cast<float*>(workspace + softmax_bytes(most_partials(p)))};
  size_t shared = sizeof(float) * static_cast<size_t>(kTileTokens * p.head_width);
  unsigned tiles = most_cache_tiles(p.layout), heads = static_cast<unsigned>(p.heads);
  unsigned pieces = static_cast<unsigned>((chunks_of(p.layout.most_keys) + kWarps - 1) / kWarps);
  with_element_type(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    constexpr int kWide = 16 / sizeof(T);
    auto kernel = p.head_width % kWide == 0 ? attend<T, kWide> : attend<T, 1>;
    start({"attention to a cache", {tiles * heads, pieces}, kThreads, shared}, kernel, p, left);
    start({"attention to a cache", tiles * kTileTokens, kThreads}, join<T>, p, left);
  });
}

size_t CudaKernels::workspace_bytes(const AttentionCached& p) const {
  int64_t count = attention::most_partials(p);
  return attention::softmax_bytes(count) + static_cast<size_t>(count * p.head_width) * sizeof(float);
}

}  // namespace glm::cuda
