#pragma once

// What is drawn once for a row, before its text is looked at: the objective, whether a blank example has a
// single span, and whether the row is split into short sequences (the original's split_samples). The original
// draws these once for a whole batch, in this order; here every row has its own.

#include "base/spans/draws.h"
#include "base/spans/plan.h"

namespace glm::spans {

constexpr int32_t kShortestSequence = 32;

struct RowDraw {
  SpanObjective objective;
  bool single_span;
  int32_t parts;        // examples made of the row
  int32_t part_length;  // of a short sequence's text, without its [CLS]; 0: the whole row is one example
};

GLM_HOST_DEVICE static inline RowDraw draw_row(const SpanStrategy& strategy, uint64_t seed, uint64_t sample) {
  Draws draws = begin_draws(seed, sample, kRowStream);
  uint32_t split = next_word(draws), single = next_word(draws), objective = next_word(draws);
  RowDraw row{SpanObjective::kDocument, single < strategy.single_span, 1, 0};
  if (objective < strategy.objective_below[0]) {
    row.objective = SpanObjective::kBlank;
  } else if (objective < strategy.objective_below[1]) {
    row.objective = SpanObjective::kSentence;
  }
  if (split < strategy.short_sequence) {
    row.part_length = kShortestSequence + draw_below(draws, strategy.max_length - 1 - kShortestSequence);
    row.parts = (strategy.max_length - 1) / row.part_length;
  }
  return row;
}

GLM_HOST_DEVICE static inline bool ends_piece(const SpanStrategy& strategy, int32_t token) {
  return token == strategy.eos || strategy.sentence_ends[token] != 0;
}

/// A short sequence from a random place of the text, with a [CLS] of its own. It starts behind a sentence's
/// or a document's end, and ends with one unless that would cost half of it.
GLM_HOST_DEVICE static inline SpanText cut_short_sequence(Draws& draws, const SpanStrategy& strategy,
                                                          const SpanText& text, int32_t part_length) {
  const int32_t* body = text.body;
  int32_t tokens = text.length - 1;
  if (part_length >= tokens) return text;
  int32_t begin = draw_below(draws, tokens - part_length);
  while (begin > 0 && (body[begin] == strategy.eos || !ends_piece(strategy, body[begin - 1]))) begin--;
  int32_t end = begin + part_length;
  while (end > begin && !ends_piece(strategy, body[end - 1])) end--;
  if (end - begin < part_length / 2) end = begin + part_length;
  if (end - begin > 1 && body[begin] == strategy.cls) begin++;  // the part has its own
  return {text.first_token, end - begin + 1, body + begin};
}

}  // namespace glm::spans
