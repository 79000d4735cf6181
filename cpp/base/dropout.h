#pragma once

// Dropout as a function, not as a stored mask: element i of a draw site is kept iff its Philox word is below
// a threshold. Forward, backward and recomputation ask the same question and get the same bits on every
// device.

#include <cstdint>

#include "base/host_device.h"
#include "base/philox.h"

namespace glm {

struct Dropout {
  uint64_t seed = 0;       // of the training run
  uint64_t site = 0;       // (step, place in the network); no two draws share one
  uint32_t threshold = 0;  // an element is dropped iff its word is below; 0: dropout is off
  float scale = 1.0f;      // 1 / (1 - p), for the elements that stay

  GLM_HOST_DEVICE bool active() const { return threshold != 0; }
};

inline Dropout make_dropout(double probability, uint64_t seed, uint64_t site) {
  if (probability <= 0) return {};
  double threshold = probability * 4294967296.0;
  return {seed, site, threshold >= 4294967295.0 ? 4294967295u : static_cast<uint32_t>(threshold),
          static_cast<float>(1.0 / (1.0 - probability))};
}

// Which word of which counter decides an element is laid out for vectors: sixteen neighbours ask sixteen
// consecutive counters for the same word, and one evaluation serves four such groups.

struct DropoutDraw {
  uint64_t counter;
  int word;
};

/// Element `index` of a tensor: blocks of 64 elements take the 4 words of 16 counters.
GLM_HOST_DEVICE constexpr DropoutDraw dropout_draw(uint64_t index) {
  return {index >> 6 << 4 | (index & 15), static_cast<int>(index >> 4 & 3)};
}

/// Attention's probability at (`row`, `column`) of an example that starts at token `offset` of `tokens`: rows
/// r, r + 8, r + 16 and r + 24 of a block of 32 share a counter, which suits vectors over columns and the
/// fragments of a matrix unit alike. Columns are below 2^20.
GLM_HOST_DEVICE constexpr DropoutDraw attention_dropout_draw(int64_t head, int64_t tokens, int64_t offset,
                                                             int64_t row, int64_t column) {
  int64_t group = head * tokens + offset + ((row >> 5 << 3) | (row & 7));
  return {static_cast<uint64_t>(group << 20 | column), static_cast<int>(row >> 3 & 3)};
}

/// The factor of one element: 0 or 1 / (1 - p).
GLM_HOST_DEVICE inline float dropout_factor(const Dropout& dropout, DropoutDraw draw) {
  return philox(dropout.seed, draw.counter, dropout.site).word[draw.word] < dropout.threshold ? 0.0f
                                                                                              : dropout.scale;
}

}  // namespace glm
