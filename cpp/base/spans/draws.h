#pragma once

// Random draws for span sampling. Word k of a stream is a pure function of (seed, sample, stream, k), so a
// sample is the same alone, inside any batch, on any thread and on any device. Everything is integer
// arithmetic: a probability is a 64-bit threshold (threshold / 2^32), a uniform choice is unbiased.
//
// The functions of cpp/base/spans have internal linkage: the CPU kernels compile them once per instruction
// set, and the linker must not merge those copies.

#include <cstdint>

#include "base/host_device.h"
#include "base/philox.h"

namespace glm::spans {

/// What a word is drawn for. Part p of a row adds p * kStreamsOfPart.
enum Stream : uint32_t { kRowStream = 0, kPlanStream = 1, kSpanMaskStream = 2, kContextMaskStream = 3 };
constexpr uint32_t kStreamsOfPart = 3;

struct Draws {
  uint64_t seed;
  uint64_t counter_high;
  uint64_t counter_low;
  int32_t left;  // words that have not been used
  Philox4 words;
};

GLM_HOST_DEVICE static inline Draws begin_draws(uint64_t seed, uint64_t sample, uint32_t stream) {
  // "SPAN" in the upper half keeps these counters apart from those of dropout and initialisation under the
  // same seed.
  return {seed, uint64_t{0x5350414e} << 32 | sample, uint64_t{stream} << 32, 0, {}};
}

GLM_HOST_DEVICE static inline uint32_t next_word(Draws& draws) {
  if (draws.left == 0) {
    draws.words = philox(draws.seed, draws.counter_low++, draws.counter_high);
    draws.left = 4;
  }
  // The others move up: an index that is not known would put them into a GPU's slow memory.
  uint32_t(&word)[4] = draws.words.word;
  uint32_t next = word[0];
  word[0] = word[1];
  word[1] = word[2];
  word[2] = word[3];
  draws.left--;
  return next;
}

/// Word `index` of a stream, without the words before it.
GLM_HOST_DEVICE static inline uint32_t word_at(uint64_t seed, uint64_t sample, uint32_t stream,
                                               uint32_t index) {
  Draws draws = begin_draws(seed, sample, stream);
  Philox4 words = philox(seed, draws.counter_low + index / 4, draws.counter_high);
  uint32_t low = index % 2 == 0 ? words.word[0] : words.word[1];
  uint32_t high = index % 2 == 0 ? words.word[2] : words.word[3];
  return index % 4 < 2 ? low : high;
}

/// True with probability threshold / 2^32. Draws nothing when that is 0.
GLM_HOST_DEVICE static inline bool draw_chance(Draws& draws, uint64_t threshold) {
  return threshold != 0 && next_word(draws) < threshold;
}

/// Uniform in [0, bound), bound > 0: the product's upper half, with the few words that would favour some
/// values drawn again (Lemire, "Fast Random Integer Generation in an Interval", 2019).
GLM_HOST_DEVICE static inline int32_t draw_below(Draws& draws, int32_t bound) {
  uint32_t n = static_cast<uint32_t>(bound);
  uint64_t product = uint64_t{next_word(draws)} * n;
  if (static_cast<uint32_t>(product) < n) {
    uint32_t excess = (0u - n) % n;
    while (static_cast<uint32_t>(product) < excess) product = uint64_t{next_word(draws)} * n;
  }
  return static_cast<int32_t>(product >> 32);
}

/// Every order equally likely (Fisher and Yates).
template <class T>
GLM_HOST_DEVICE static inline void shuffle(Draws& draws, T* values, int32_t count) {
  for (int32_t i = count - 1; i > 0; i--) {
    int32_t j = draw_below(draws, i + 1);
    T swap = values[i];
    values[i] = values[j];
    values[j] = swap;
  }
}

/// Shell sort with Ciura's gaps: no recursion, no memory, and an insertion sort for the two dozen spans of a
/// usual text.
template <class T>
GLM_HOST_DEVICE static inline void sort_ascending(T* values, int32_t count) {
  constexpr int32_t kGaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
  for (int32_t gap : kGaps) {
    if (gap > 1 && gap * 3 > count) continue;
    for (int32_t i = gap; i < count; i++) {
      T value = values[i];
      int32_t j = i;
      for (; j >= gap && values[j - gap] > value; j -= gap) values[j] = values[j - gap];
      values[j] = value;
    }
  }
}

}  // namespace glm::spans
