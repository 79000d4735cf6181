#pragma once

// The blank objective: short spans whose lengths follow a Poisson distribution, until the mask ratio is
// reached (paper, section 2.1). Every document but the longest takes spans up to the mask ratio of its own
// length, the longest takes the rest. The original drops a sample whose spans do not all fit; here it is
// drawn again.

#include "base/spans/documents.h"

namespace glm::spans {

/// After so many draws that did not fit, every document is masked for itself. It happens where a window holds
/// many short documents: the original would hardly ever train on it.
constexpr int kMostDraws = 16;

/// A length from 1 to longest_span, with the weights of the Poisson distribution.
GLM_HOST_DEVICE static inline int32_t draw_length(Draws& draws, const SpanStrategy& strategy) {
  uint32_t word = next_word(draws);
  int32_t length = 1;
  while (length < strategy.longest_span && word >= strategy.length_below[length - 1]) length++;
  return length;
}

GLM_HOST_DEVICE static inline int32_t draw_lengths(Draws& draws, const SpanStrategy& strategy,
                                                   int32_t text_length, bool single, int32_t* lengths) {
  // At least one span, also for a text so short that the ratio rounds to nothing.
  int32_t budget = strategy.blank_budget[text_length];
  int32_t count = 0;
  for (int32_t tokens = 0; count == 0 || (!single && tokens < budget); count++) {
    lengths[count] = draw_length(draws, strategy);
    tokens += lengths[count];
  }
  // The last length is a biased one: it is the one that reached the budget.
  shuffle(draws, lengths, count);
  return count;
}

/// Shares `count` spans out among the documents and places them. False when some fit nowhere.
GLM_HOST_DEVICE static inline bool place_in_documents(Draws& draws, const SpanStrategy& strategy,
                                                      const SpanText& text, int32_t documents, int32_t count,
                                                      const Scratch& scratch) {
  int32_t next = 0;
  for (int32_t d = 0; d < documents; d++) {
    int32_t room = document_length(scratch.pieces[d]);
    int32_t budget = d == documents - 1 ? room : strategy.blank_budget[room];
    int32_t taken = count_that_fit(scratch.lengths + next, count - next, budget, room);
    place_spans(draws, scratch.lengths + next, taken, document_begin(text, scratch.pieces[d]), room,
                scratch.places, scratch.placed + next);
    next += taken;
  }
  return next == count;
}

/// Masks every document for itself: lengths are drawn up to its own share, the last one cut to what is left.
GLM_HOST_DEVICE static inline int32_t mask_each_document(Draws& draws, const SpanStrategy& strategy,
                                                         const SpanText& text, int32_t documents,
                                                         const Scratch& scratch) {
  int32_t placed = 0;
  for (int32_t d = documents - 1; d >= 0; d--) {
    int32_t room = document_length(scratch.pieces[d]), left = strategy.blank_budget[room];
    if (left == 0 && placed == 0) left = 1;
    int32_t count = 0;
    for (; left > 0 && placed + count < strategy.most_spans; count++) {
      int32_t length = draw_length(draws, strategy);
      scratch.lengths[count] = length < left ? length : left;
      left -= scratch.lengths[count];
    }
    count = count_that_fit(scratch.lengths, count, room, room);
    shuffle(draws, scratch.lengths, count);
    place_spans(draws, scratch.lengths, count, document_begin(text, scratch.pieces[d]), room, scratch.places,
                scratch.placed + placed);
    placed += count;
  }
  return placed;
}

/// Returns the number of spans in scratch.placed, ascending. None where nothing can be masked.
GLM_HOST_DEVICE static inline int32_t sample_blanks(Draws& draws, const SpanStrategy& strategy,
                                                    const SpanText& text, bool single,
                                                    const Scratch& scratch) {
  int32_t documents = find_documents(strategy, text, scratch.pieces);
  if (documents == 0) return 0;
  int32_t count = 0;
  bool fits = false;
  for (int draw = 0; draw < kMostDraws && !fits; draw++) {
    count = draw_lengths(draws, strategy, text.length, single, scratch.lengths);
    fits =
        count <= strategy.most_spans && place_in_documents(draws, strategy, text, documents, count, scratch);
  }
  if (!fits) count = mask_each_document(draws, strategy, text, documents, scratch);
  if (documents > 1) sort_ascending(scratch.placed, count);
  return count;
}

}  // namespace glm::spans
