// The next token of each row of logits z [rows, V], without the logits leaving the device.
//
//   likeliest   the `count` largest z among the tokens that may be chosen, of equals the lowest id
//   sampled     a draw from softmax(z / temperature), cut to the tokens at least as likely as the k-th
//   (top-k, Fan et
//               al. 2018) and then to the likeliest that together have probability p (top-p, Holtzman et al.
//               2020)
//
// and its log-probability under the raw distribution, z - log Σ exp z over the whole row. One uniform number
// of 53 bits decides a draw: philox(seed, token, blank). Where to cut is found without sorting: z as an
// integer that orders like it, its leading 11 bits first, then 11 of those in the bin where the cut lies,
// then the last 10 bits.
//
// Types: logits float32 or bfloat16, copied to float32 in the workspace; sums of probabilities float64, in
// order. Work: one exponential per logit, two when sampling. Memory traffic: the row once from memory, then
// from the cache. A row is one thread's work, so the bits don't depend on how many there are.

#include "base/philox.h"
#include "cpu/element_type.h"
#include "cpu/kernels.h"
#include "cpu/vector_math.h"

namespace glm::GLM_ISA {
namespace {

constexpr int32_t kNotFinite = -1, kNothingLeft = -2;
constexpr float kNever = -__builtin_inff();

int64_t padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

/// A row in the workspace: z [V, padded], then room for as many probabilities.
struct LogitRow {
  float* z;
  float* p;
  int64_t size;  // V
};

/// z = the logits, filled up with -infinity. Returns false if one is NaN or infinite.
template <class T>
bool load_row(const T* logits, const LogitRow& row) {
  Floats not_a_number{};
  for (int64_t i = 0; i < row.size; i += kLanes) {
    Floats z = load_upto(logits + i, row.size - i);
    not_a_number += z * 0.0f;
    store(row.z + i, z);
  }
  for (int64_t i = row.size; i < padded(row.size); i++) row.z[i] = kNever;
  return sum(not_a_number) == 0;
}

float largest_of(const LogitRow& row) {
  Floats top = broadcast(kNever);
  for (int64_t i = 0; i < row.size; i += kLanes) top = max(load(row.z + i), top);
  return largest(top);
}

/// log Σ exp z
float log_sum_exp(const LogitRow& row) {
  constexpr int64_t kBlock = 64 * kLanes;
  float top = largest_of(row);
  double total = 0;
  for (int64_t begin = 0; begin < row.size; begin += kBlock) {
    int64_t end = begin + kBlock < row.size ? begin + kBlock : row.size;
    Floats part{};
    for (int64_t i = begin; i < end; i += kLanes) part += exp(load(row.z + i) - broadcast(top));
    total += sum(part);
  }
  return top + static_cast<float>(__builtin_log(total));
}

void forbid(const ChooseTokens& params, const TokenChoice& choice, const LogitRow& row) {
  for (int32_t i = choice.forbidden_begin; i < choice.forbidden_end; i++) row.z[params.forbidden[i]] = kNever;
  for (int64_t i = params.limit; i < row.size; i++) row.z[i] = kNever;
}

/// Writes the `count` likeliest tokens, or fewer when there are no more.
int64_t take_likeliest(const LogitRow& row, int64_t count, int32_t* ids) {
  constexpr int64_t kBlock = 8 * kLanes;
  int64_t found = 0;
  float least = kNever;  // of those found, once there are `count`
  for (int64_t begin = 0; begin < row.size; begin += kBlock) {
    int64_t end = begin + kBlock < row.size ? begin + kBlock : row.size;
    Floats top = broadcast(kNever);
    for (int64_t i = begin; i < end; i += kLanes) top = max(load(row.z + i), top);
    if (!(largest(top) > least)) continue;
    for (int64_t i = begin; i < end; i++) {
      if (!(row.z[i] > least)) continue;
      int64_t at = found < count ? found++ : count - 1;
      for (; at > 0 && row.z[ids[at - 1]] < row.z[i]; at--) ids[at] = ids[at - 1];
      ids[at] = static_cast<int32_t>(i);
      if (found == count) least = row.z[ids[count - 1]];
    }
  }
  return found;
}

/// An integer that orders like the float.
uint32_t ordered(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

float from_ordered(uint32_t bits) {
  bits = bits & 0x80000000u ? bits & 0x7fffffffu : ~bits;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// The largest z such that the tokens with at least that have together a weight of `wanted`. `weigh(i)` is
/// the weight of token i, asked only where z may be chosen.
template <class Weigh>
float cut_at(const LogitRow& row, double wanted, const Weigh& weigh) {
  constexpr int kBits[] = {11, 11, 10};
  double bins[1 << 11];
  uint32_t prefix = 0, known = 0;  // leading bits of the cut, and which they are
  int shift = 32;
  for (int bits : kBits) {
    shift -= bits;
    int64_t size = int64_t{1} << bits;
    for (int64_t b = 0; b < size; b++) bins[b] = 0;
    for (int64_t i = 0; i < row.size; i++) {
      if (!(row.z[i] > kNever)) continue;
      uint32_t key = ordered(row.z[i]);
      if ((key & known) == prefix) bins[key >> shift & (size - 1)] += weigh(i);
    }
    int64_t bin = size - 1, last = -1;
    for (; bin >= 0; bin--) {
      if (bins[bin] == 0) continue;
      last = bin;
      if (bins[bin] >= wanted) break;
      wanted -= bins[bin];
    }
    if (bin < 0) bin = last < 0 ? 0 : last;  // rounding: all of them
    prefix |= static_cast<uint32_t>(bin) << shift;
    known |= static_cast<uint32_t>(size - 1) << shift;
  }
  return from_ordered(prefix);
}

/// Leaves only tokens with at least `cut`.
void cut_below(const LogitRow& row, float cut) {
  for (int64_t i = 0; i < row.size; i++) {
    if (!(row.z[i] >= cut)) row.z[i] = kNever;
  }
}

/// p = exp((z - the largest) / temperature); returns their sum.
double weigh_row(const LogitRow& row, float top, float temperature) {
  double total = 0;
  for (int64_t i = 0; i < row.size; i += kLanes) {
    store(row.p + i, exp((load(row.z + i) - broadcast(top)) / broadcast(temperature)));
  }
  for (int64_t i = 0; i < row.size; i++) total += static_cast<double>(row.p[i]);
  return total;
}

int32_t sample(const LogitRow& row, const TokenChoice& choice) {
  float top = largest_of(row);
  if (top == kNever) return kNothingLeft;
  if (choice.top_k > 0 && choice.top_k < row.size) {
    cut_below(row, cut_at(row, choice.top_k, [](int64_t) { return 1.0; }));
  }
  double total = weigh_row(row, top, choice.temperature);
  if (choice.top_p < 1) {
    const float* p = row.p;
    cut_below(row, cut_at(row, choice.top_p * total, [p](int64_t i) { return static_cast<double>(p[i]); }));
    total = 0;
    for (int64_t i = 0; i < row.size; i++) {
      if (row.z[i] > kNever) total += static_cast<double>(row.p[i]);
    }
  }
  Philox4 random = philox(choice.seed, choice.token, choice.blank);
  uint64_t bits = (static_cast<uint64_t>(random.word[0]) << 32 | random.word[1]) >> 11;
  double target = static_cast<double>(bits) * 0x1p-53 * total;
  double reached = 0;
  int32_t last = kNothingLeft;
  for (int64_t i = 0; i < row.size; i++) {
    if (!(row.z[i] > kNever) || row.p[i] == 0) continue;
    last = static_cast<int32_t>(i);
    reached += static_cast<double>(row.p[i]);
    if (reached > target) break;
  }
  return last;
}

template <class T>
void choose(const ChooseTokens& params, int64_t index, const LogitRow& row) {
  const TokenChoice& choice = params.choices[index];
  const T* logits = static_cast<const T*>(params.logits) + index * params.vocabulary;
  int32_t* ids = params.ids + choice.result;
  float* logprobs = params.logprobs + choice.result;
  int64_t found = 0;
  float normalizer = 0;
  bool finite = load_row(logits, row);
  if (finite) {
    normalizer = log_sum_exp(row);
    forbid(params, choice, row);
    if (choice.temperature == 0) {
      found = take_likeliest(row, choice.count, ids);
    } else {
      ids[0] = sample(row, choice);
      found = ids[0] >= 0;
    }
  }
  for (int64_t i = 0; i < found; i++) logprobs[i] = to_float(logits[ids[i]]) - normalizer;
  for (int64_t i = found; i < choice.count; i++) {
    ids[i] = finite ? kNothingLeft : kNotFinite;
    logprobs[i] = kNever;
  }
}

}  // namespace

size_t CpuKernels::workspace_bytes(const ChooseTokens& p) const {
  return static_cast<size_t>(p.rows * 2 * padded(p.vocabulary)) * sizeof(float);
}

void CpuKernels::run(const ChooseTokens& p) {
  with_element_type(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_.parts(p.rows, [&](int64_t row) {
      float* z = static_cast<float*>(p.workspace) + row * 2 * padded(p.vocabulary);
      choose<T>(p, row, {z, z + padded(p.vocabulary), p.vocabulary});
    });
  });
}

}  // namespace glm::GLM_ISA
