// The next token of each row of logits z [rows, V], without the logits leaving the device.
//
//   likeliest   the `count` largest z among the tokens that may be chosen, of equals the lowest id
//   sampled     a draw from softmax(z / temperature), cut to the tokens at least as likely as the k-th
//   (top-k,
//               Fan et al. 2018) and then to the likeliest that together have probability p (top-p, Holtzman
//               et al. 2020)
//
// and its log-probability under the raw distribution, z - log Σ exp z over the whole row. One uniform number
// of 53 bits decides a draw: philox(seed, token, blank). Where to cut is found without sorting: z as an
// integer that orders like it, two bits of the cut with each pass over the row.
//
// Types: logits float32 or bfloat16, copied to float32 in the workspace; sums of probabilities float64, in a
// fixed order. A row is one block's work. Work: one exponential per logit, two when sampling. Memory traffic:
// the row once from memory, then from the second-level cache: once per likeliest token, 16 times per cut.

#include "base/philox.h"
#include "device/element.cuh"
#include "device/reduce.cuh"
#include "kernels.h"

namespace glm::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / 32;
constexpr int32_t kNotFinite = -1, kNothingLeft = -2;

/// One row, and what a block needs to go over it.
struct Row {
  float* z;  // [V] in the workspace; -infinity where a token may not be chosen
  float* p;  // [V] exp((z - the largest) / temperature)
  int64_t size;

  template <class Function>
  __device__ void for_each(const Function& function) const {
    for (int64_t i = threadIdx.x; i < size; i += kThreads) function(i);
  }
  /// Σ of term(i) over the row.
  template <class Term>
  __device__ double sum(const Term& term) const {
    double part = 0;
    for_each([&](int64_t i) { part += term(i); });
    return block_sum(part);
  }
};

/// An integer that orders like the float.
__device__ uint32_t ordered(float x) {
  uint32_t bits = __float_as_uint(x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ float from_ordered(uint32_t bits) {
  return __uint_as_float(bits & 0x80000000u ? bits & 0x7fffffffu : ~bits);
}

/// Orders tokens: by z, of equals the lowest id first. Above zero wherever z is finite.
__device__ uint64_t key_of(float z, int64_t id) {
  return static_cast<uint64_t>(ordered(z)) << 32 | (0xffffffffu - static_cast<uint32_t>(id));
}
__device__ int32_t id_of(uint64_t key) {
  return static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(key));
}

/// The first token below `limit` in the order of keys, among those that may be chosen; 0: none.
__device__ uint64_t likeliest_below(const Row& row, uint64_t limit) {
  uint64_t best = 0;
  row.for_each([&](int64_t i) {
    if (row.z[i] == -INFINITY) return;
    uint64_t key = key_of(row.z[i], i);
    if (key < limit && key > best) best = key;
  });
  return block_reduce(best, uint64_t{0}, Maximum{});
}

/// Leaves the likeliest tokens that together have a weight of `wanted`, and their equals. weigh(i) is the
/// weight of token i.
template <class Weigh>
__device__ void cut(const Row& row, double wanted, const Weigh& weigh) {
  uint32_t least = 0;
  for (int shift = 30; shift >= 0; shift -= 2) {
    double weight[3] = {};  // of the tokens from least + (1, 2, 3) << shift on
    row.for_each([&](int64_t i) {
      if (row.z[i] == -INFINITY) return;
      uint32_t key = ordered(row.z[i]);
#pragma unroll
      for (uint32_t k = 0; k < 3; k++) {
        if (key >= (least | (k + 1) << shift)) weight[k] += weigh(i);
      }
    });
    uint32_t digit = 0;
#pragma unroll
    for (uint32_t k = 0; k < 3; k++) {
      if (block_sum(weight[k]) >= wanted) digit = k + 1;
    }
    least |= digit << shift;
  }
  row.for_each([&](int64_t i) {
    if (ordered(row.z[i]) < least) row.z[i] = -INFINITY;
  });
}

/// The first token at which the sum of the weights, in order of ids, is above `target`: each warp sums a
/// stretch of the row, then the one where it happens goes over its stretch again.
template <class Weigh>
__device__ int32_t token_at(const Row& row, double target, const Weigh& weigh) {
  __shared__ double sums[kWarps];   // of the stretches
  __shared__ int32_t last[kWarps];  // tokens of theirs that have a weight
  __shared__ int32_t chosen;
  int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  int64_t stretch = (row.size + kThreads - 1) / kThreads * 32, begin = warp * stretch;
  int64_t end = min(begin + stretch, row.size);
  double sum = 0;
  int32_t mine = kNothingLeft;
  for (int64_t i = begin + lane; i < end; i += 32) {
    double weight = weigh(i);
    sum += weight;
    if (weight > 0) mine = static_cast<int32_t>(i);
  }
  sum = warp_sum(sum);
  mine = warp_reduce(mine, Maximum{});
  __syncthreads();
  if (lane == 0) {
    sums[warp] = sum;
    last[warp] = mine;
  }
  if (threadIdx.x == 0) chosen = kNothingLeft;
  __syncthreads();
  double before = 0;
  int32_t final = kNothingLeft;  // where rounding leaves the sum below the target
  int there = kWarps;            // the stretch where it is reached
  for (int w = 0; w < kWarps && there == kWarps; w++) {
    final = max(final, last[w]);
    if (before + sums[w] > target)
      there = w;
    else
      before += sums[w];
  }
  if (warp == there) {
    int32_t found = last[warp];
    for (int64_t i = begin; i < end; i += 32) {
      double reached = i + lane < end ? weigh(i + lane) : 0;
      bool has_weight = reached > 0;
#pragma unroll
      for (int step = 1; step < 32; step *= 2) {
        double below = __shfl_up_sync(kWholeWarp, reached, step);
        if (lane >= step) reached += below;
      }
      unsigned above = __ballot_sync(kWholeWarp, has_weight && before + reached > target);
      if (above != 0) {
        found = static_cast<int32_t>(i) + __ffs(static_cast<int>(above)) - 1;
        break;
      }
      before += __shfl_sync(kWholeWarp, reached, 31);
    }
    if (lane == 0) chosen = found;
  }
  __syncthreads();
  return there == kWarps ? final : chosen;
}

__device__ int32_t sample(const Row& row, const TokenChoice& choice) {
  uint64_t top = likeliest_below(row, ~uint64_t{0});
  if (top == 0) return kNothingLeft;
  float largest = from_ordered(static_cast<uint32_t>(top >> 32));
  if (choice.top_k > 0 && choice.top_k < row.size) cut(row, choice.top_k, [](int64_t) { return 1.0; });
  row.for_each([&](int64_t i) { row.p[i] = expf((row.z[i] - largest) / choice.temperature); });
  auto weight = [&](int64_t i) { return row.z[i] == -INFINITY ? 0.0 : static_cast<double>(row.p[i]); };
  double total = row.sum(weight);
  if (choice.top_p < 1) {
    cut(row, choice.top_p * total, weight);
    total = row.sum(weight);
  }
  Philox4 random = philox(choice.seed, choice.token, choice.blank);
  uint64_t bits = (static_cast<uint64_t>(random.word[0]) << 32 | random.word[1]) >> 11;
  __syncthreads();  // what follows reads what other threads wrote
  return token_at(row, static_cast<double>(bits) * 0x1p-53 * total, weight);
}

template <class T>
__global__ void __launch_bounds__(kThreads) choose_tokens(ChooseTokens p, float* workspace) {
  int64_t index = blockIdx.x;
  TokenChoice choice = p.choices[index];
  const T* logits = static_cast<const T*>(p.logits) + index * p.vocabulary;
  float* z = workspace + index * 2 * p.vocabulary;
  Row row{z, z + p.vocabulary, p.vocabulary};
  int32_t* ids = p.ids + choice.result;
  float* logprobs = p.logprobs + choice.result;

  uint32_t top = 0;
  float not_a_number = 0;
  row.for_each([&](int64_t i) {
    float x = load(logits + i);
    not_a_number += x * 0.0f;
    row.z[i] = x;
    top = max(top, ordered(x));
  });
  bool finite = block_sum(not_a_number) == 0;
  int64_t found = 0;
  float normalizer = 0;
  if (finite) {
    float largest = from_ordered(block_reduce(top, 0u, Maximum{}));
    double total = row.sum([&](int64_t i) { return static_cast<double>(expf(row.z[i] - largest)); });
    normalizer = largest + static_cast<float>(log(total));
    __syncthreads();
    for (int64_t i = p.limit + threadIdx.x; i < row.size; i += kThreads) row.z[i] = -INFINITY;
    __syncthreads();
    for (int64_t i = choice.forbidden_begin + threadIdx.x; i < choice.forbidden_end; i += kThreads)
      row.z[p.forbidden[i]] = -INFINITY;
    __syncthreads();
    if (choice.temperature == 0) {
      uint64_t key = ~uint64_t{0};
      for (; found < choice.count; found++) {
        key = likeliest_below(row, key);
        if (key == 0) break;
        if (threadIdx.x == 0) ids[found] = id_of(key);
        if (threadIdx.x == 0) logprobs[found] = load(logits + id_of(key)) - normalizer;
      }
    } else if (int32_t id = sample(row, choice); id >= 0) {
      if (threadIdx.x == 0) ids[0] = id;
      if (threadIdx.x == 0) logprobs[0] = load(logits + id) - normalizer;
      found = 1;
    }
  }
  for (int64_t i = found + threadIdx.x; i < choice.count; i += kThreads) {
    ids[i] = finite ? kNothingLeft : kNotFinite;
    logprobs[i] = -INFINITY;
  }
}

/// What the workspace has: the rows, then copies of the host's arrays.
struct Workspace {
  size_t rows, choices, forbidden;  // bytes

  explicit Workspace(const ChooseTokens& p) {
    int32_t ids = 0;
    for (int64_t i = 0; i < p.rows; i++) ids = std::max(ids, p.choices[i].forbidden_end);
    rows = (static_cast<size_t>(p.rows * 2 * p.vocabulary) * sizeof(float) + 63) / 64 * 64;
    choices = static_cast<size_t>(p.rows) * sizeof(TokenChoice);
    forbidden = static_cast<size_t>(ids) * sizeof(int32_t);
  }
};

}  // namespace

void CudaKernels::run(const ChooseTokens& p) {
  Workspace bytes(p);
  char* workspace = static_cast<char*>(p.workspace);
  ChooseTokens on_device = p;
  on_device.choices = reinterpret_cast<const TokenChoice*>(workspace + bytes.rows);
  on_device.forbidden = reinterpret_cast<const int32_t*>(workspace + bytes.rows + bytes.choices);
  queue_.upload(workspace + bytes.rows, p.choices, bytes.choices);
  queue_.upload(workspace + bytes.rows + bytes.choices, p.forbidden, bytes.forbidden);
  with_element_type(p.dtype, [&](auto zero) {
    start({"choosing tokens", static_cast<unsigned>(p.rows), kThreads}, choose_tokens<decltype(zero)>,
          on_device, reinterpret_cast<float*>(workspace));
  });
}

size_t CudaKernels::workspace_bytes(const ChooseTokens& p) const {
  Workspace bytes(p);
  return bytes.rows + bytes.choices + bytes.forbidden;
}

}  // namespace glm::cuda
