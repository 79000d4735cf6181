#pragma once

// Dropout factors of one column of 32 rows, rows along the lanes. attention_dropout_draw gives rows r, r + 8, r + 16
// and r + 24 the four words of one counter, so eight counters in 64-bit lanes decide the whole column.

#include "cpu/attention/softmax.h"
#include "cpu/dropout.h"

namespace glm::GLM_ISA::attention {

struct DropoutRows {
  Floats factor[kGroupVectors];
};

/// The even 32-bit lanes of a, then those of b.
GLM_INLINE Ints low_halves(ULongs a, ULongs b) {
  Ints low = reinterpret_cast<Ints>(a), high = reinterpret_cast<Ints>(b);
#if GLM_VECTOR_BYTES == 64
  return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif GLM_VECTOR_BYTES == 32
  return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
#else
  return __builtin_shufflevector(low, high, 0, 2, 4, 6);
#endif
}

/// The factors of the draws of one head of one example.
class HeadDropout {
 public:
  HeadDropout(const Dropout& dropout, int64_t head, int64_t tokens, int64_t offset)
      : dropout_(dropout), head_(head), tokens_(tokens), offset_(offset) {}

  bool active() const { return dropout_.active(); }

  /// Rows [row, row + 32) at `column`; `row` is a multiple of 32.
  GLM_INLINE DropoutRows rows(int64_t row, int64_t column) const {
    constexpr int kSets = 8 / (kLanes / 2);
    glm::GLM_ISA::detail::PhiloxState state[kSets];
    uint64_t first = attention_dropout_draw(head_, tokens_, offset_, row, column).counter;
    uint64_t next_row = uint64_t{1} << 20;  // to the counter of the next row
    ULongs zero = {}, lane;
    for (int i = 0; i < kLanes / 2; i++) lane[i] = static_cast<uint64_t>(i);
    for (int s = 0; s < kSets; s++) {
      ULongs counter = first + (lane + static_cast<uint64_t>(s * (kLanes / 2))) * next_row;
      state[s] = {counter, counter >> 32, zero + (dropout_.site & 0xffffffff), zero + (dropout_.site >> 32)};
    }
    ULongs k0 = zero + (dropout_.seed & 0xffffffff), k1 = zero + (dropout_.seed >> 32);
    for (int i = 0; i < 10; i++) {
      for (int s = 0; s < kSets; s++) state[s].round(k0, k1);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    ULongs words[4 * kSets];  // in the order of rows
    for (int s = 0; s < kSets; s++) {
      words[s] = state[s].c0;
      words[kSets + s] = state[s].c1;
      words[2 * kSets + s] = state[s].c2;
      words[3 * kSets + s] = state[s].c3;
    }
    UInts threshold = UInts{} + dropout_.threshold;
    Floats keep = broadcast(dropout_.scale), drop = {};
    DropoutRows out;
    for (int v = 0; v < kGroupVectors; v++) {
      UInts drawn = reinterpret_cast<UInts>(low_halves(words[2 * v], words[2 * v + 1]));
      out.factor[v] = drawn < threshold ? drop : keep;
    }
    return out;
  }

 private:
  Dropout dropout_;
  int64_t head_, tokens_, offset_;
};

}  // namespace glm::GLM_ISA::attention
