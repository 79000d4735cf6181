#pragma once

// Dropout factors of one column of 32 rows, rows along the lanes. attention_dropout_draw gives rows r, r + 8,
// r + 16 and r + 24 the four words of one counter, so eight counters in 64-bit lanes decide the whole column.

#include "cpu/attention/shuffle.h"
#include "cpu/attention/softmax.h"
#include "cpu/dropout.h"

namespace glm::GLM_ISA::attention {

struct DropoutRows {
  Floats factor[kGroupVectors];
};

/// The lower halves of a, then those of b.
GLM_INLINE Ints low_halves(ULongs a, ULongs b) {
  return reinterpret_cast<Ints>(even_lanes(reinterpret_cast<Floats>(a), reinterpret_cast<Floats>(b)));
}

/// The factors of the draws of one head of one example.
class HeadDropout {
 public:
  HeadDropout(const Dropout& dropout, int64_t head, int64_t tokens, int64_t offset)
      : dropout_(dropout), head_(head), tokens_(tokens), offset_(offset) {
    uint32_t low = static_cast<uint32_t>(dropout.seed), high = static_cast<uint32_t>(dropout.seed >> 32);
    for (int i = 0; i < kRounds; i++) {
      keys_[i][0] = low + static_cast<uint32_t>(i) * 0x9E3779B9u;
      keys_[i][1] = high + static_cast<uint32_t>(i) * 0xBB67AE85u;
    }
  }

  bool active() const { return dropout_.active(); }

  /// Rows [row, row + 32) of kColumns columns from `column` on; `row` is a multiple of 32. A round waits for
  /// the one before it, so a processor that holds a column in one vector is better used with two columns at a
  /// time.
  template <int kColumns>
  GLM_INLINE void draw(int64_t row, int64_t column, DropoutRows (&out)[kColumns]) const {
    constexpr int kSets = 8 / (kLanes / 2);
    constexpr uint64_t kNextRow = uint64_t{1} << 20;  // to the counter of the next row
    ULongs zero = {}, lane;
    for (int i = 0; i < kLanes / 2; i++) lane[i] = static_cast<uint64_t>(i);
    glm::GLM_ISA::detail::PhiloxState state[kColumns * kSets];
    for (int c = 0; c < kColumns; c++) {
      uint64_t first = attention_dropout_draw(head_, tokens_, offset_, row, column + c).counter;
      for (int s = 0; s < kSets; s++) {
        ULongs counter = first + (lane + static_cast<uint64_t>(s * (kLanes / 2))) * kNextRow;
        state[c * kSets + s] = {counter, counter >> 32, zero + (dropout_.site & 0xffffffff),
                                zero + (dropout_.site >> 32)};
      }
    }
    for (int i = 0; i < kRounds; i++) {
      ULongs k0 = zero + keys_[i][0], k1 = zero + keys_[i][1];
      for (auto& one : state) one.round(k0, k1);
    }
    UInts threshold = UInts{} + dropout_.threshold;
    Floats keep = broadcast(dropout_.scale), drop = {};
    for (int c = 0; c < kColumns; c++) {
      ULongs words[4 * kSets];  // in the order of rows
      for (int s = 0; s < kSets; s++) {
        words[s] = state[c * kSets + s].c0;
        words[kSets + s] = state[c * kSets + s].c1;
        words[2 * kSets + s] = state[c * kSets + s].c2;
        words[3 * kSets + s] = state[c * kSets + s].c3;
      }
      for (int v = 0; v < kGroupVectors; v++) {
        UInts drawn = reinterpret_cast<UInts>(low_halves(words[2 * v], words[2 * v + 1]));
        out[c].factor[v] = drawn < threshold ? drop : keep;
      }
    }
  }

 private:
  static constexpr int kRounds = 10;

  Dropout dropout_;
  int64_t head_, tokens_, offset_;
  uint64_t keys_[kRounds][2];
};

}  // namespace glm::GLM_ISA::attention
