#pragma once

// The outcome of sampling: which spans of a text are masked and in which order Part B has them. A plan and
// its text determine the example completely (layout.h).

#include <cstdint>

#include "base/host_device.h"
#include "base/spans/strategy.h"

namespace glm {

/// A text is one token and a body. The token is usually [CLS], which the body's memory need not hold.
struct SpanText {
  int32_t first_token = 0;
  int32_t length = 0;             // with the first token
  const int32_t* body = nullptr;  // [length - 1]
};

enum class SpanForm : uint8_t {
  kBlanks,  // each span becomes one mask in Part A, and start token + span in Part B
  kSuffix,  // the end of the text is Part B; nothing ends it
  kMasked,  // masked in place
};

/// `length` tokens of the text from `begin`; in Part A their one mask stands at `blank`.
struct MaskedSpan {
  int32_t begin, length, blank;
};

struct SpanPlan {
  int64_t body_begin = 0;  // where the text's body begins in the batch's tokens
  int32_t first_token = 0;
  int32_t text_length = 0;
  int32_t spans = 0;
  int32_t context_length = 0;   // Part A
  int32_t length = 0;           // Part A and Part B
  int32_t position_offset = 0;  // added to every position
  int32_t sample = 0, part = 0;
  SpanForm form = SpanForm::kBlanks;
  SpanObjective objective = SpanObjective::kBlank;
};

namespace spans {

/// The id that stands for a masked span. Chosen, not indexed, so that a GPU needs no copy of the strategy.
GLM_HOST_DEVICE static inline int32_t mask_of(const SpanStrategy& strategy, SpanObjective objective) {
  int32_t long_mask = objective == SpanObjective::kSentence ? strategy.mask[1] : strategy.mask[2];
  return objective == SpanObjective::kBlank ? strategy.mask[0] : long_mask;
}

/// A span that has been placed, as one number that sorts by its begin.
GLM_HOST_DEVICE static inline uint64_t pack_span(int32_t begin, int32_t length) {
  return static_cast<uint64_t>(begin) << 32 | static_cast<uint32_t>(length);
}
GLM_HOST_DEVICE static inline int32_t begin_of(uint64_t span) { return static_cast<int32_t>(span >> 32); }
GLM_HOST_DEVICE static inline int32_t length_of(uint64_t span) {
  return static_cast<int32_t>(span & 0xffffffffu);
}

/// Scratch for one example at a time.
struct Scratch {
  uint64_t* pieces;  // [max_length + 1] documents or sentences
  uint64_t* placed;  // [span_capacity] spans
  int32_t* lengths;  // [span_capacity]
  int32_t* places;   // [span_capacity]
};

GLM_HOST_DEVICE static inline int64_t scratch_bytes(const SpanStrategy& strategy) {
  return 8 * (int64_t{strategy.max_length} + 1) + 16 * int64_t{strategy.span_capacity};
}

GLM_HOST_DEVICE static inline Scratch scratch_at(void* memory, const SpanStrategy& strategy) {
  uint64_t* pieces = static_cast<uint64_t*>(memory);
  uint64_t* placed = pieces + strategy.max_length + 1;
  int32_t* lengths = reinterpret_cast<int32_t*>(placed + strategy.span_capacity);
  return {pieces, placed, lengths, lengths + strategy.span_capacity};
}

}  // namespace spans
}  // namespace glm
