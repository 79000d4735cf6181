#pragma once

// One example from its row: cut, sample, order. The only entry that kernels call to plan an example.

#include "base/spans/blank.h"
#include "base/spans/document.h"
#include "base/spans/row.h"
#include "base/spans/sentence.h"

namespace glm::spans {

/// From scratch.placed to the plan: where the masks stand in Part A, and the order of Part B.
GLM_HOST_DEVICE static inline void finish_blanks(Draws& draws, const SpanStrategy& strategy,
                                                 const uint64_t* placed, int32_t count, SpanPlan& plan,
                                                 MaskedSpan* masked, int32_t* order) {
  int32_t tokens = 0;
  for (int32_t i = 0; i < count; i++) {
    int32_t begin = begin_of(placed[i]), length = length_of(placed[i]);
    masked[i] = {begin, length, begin - tokens + i};
    tokens += length;
    order[i] = i;
  }
  plan.spans = count;
  if (strategy.masked_language) {
    plan.form = SpanForm::kMasked;
    plan.context_length = plan.length = plan.text_length;
    return;
  }
  plan.form = SpanForm::kBlanks;
  plan.context_length = plan.text_length - tokens + count;
  plan.length = plan.context_length + tokens + count;
  if (strategy.random_position && plan.context_length < strategy.max_length) {
    plan.position_offset = draw_below(draws, strategy.max_length - plan.context_length + 1);
  }
  if (strategy.shuffle) shuffle(draws, order, count);
}

/// Part `part` of the row that is sample `sample`. `row` begins with its [CLS].
GLM_HOST_DEVICE static inline void plan_example(const SpanStrategy& strategy, uint64_t seed, int32_t sample,
                                                int32_t part, const SpanText& row, const int32_t* tokens,
                                                const Scratch& scratch, SpanPlan& plan, MaskedSpan* masked,
                                                int32_t* order) {
  uint64_t stream_of = static_cast<uint32_t>(sample);
  RowDraw drawn = draw_row(strategy, seed, stream_of);
  Draws draws = begin_draws(seed, stream_of, kPlanStream + static_cast<uint32_t>(part) * kStreamsOfPart);
  SpanText text = drawn.part_length == 0 ? row : cut_short_sequence(draws, strategy, row, drawn.part_length);

  plan = {};
  plan.body_begin = text.body - tokens;
  plan.first_token = text.first_token;
  plan.text_length = text.length;
  plan.sample = sample;
  plan.part = part;
  plan.objective = drawn.objective;

  int32_t count = 0;
  if (drawn.objective == SpanObjective::kBlank) {
    count = sample_blanks(draws, strategy, text, drawn.single_span, scratch);
  } else if (drawn.objective == SpanObjective::kSentence) {
    count = sample_sentences(draws, strategy, text, scratch);
  } else {
    LongSpan span = sample_long_span(draws, strategy, text);
    if (span.form == SpanForm::kSuffix && span.length > 0) {
      plan.form = SpanForm::kSuffix;
      plan.spans = 1;
      plan.context_length = span.begin + 1;
      plan.length = plan.context_length + span.length;
      masked[0] = {span.begin, span.length, span.begin};
      order[0] = 0;
      return;
    }
    scratch.placed[0] = pack_span(span.begin, span.length);
    count = span.length > 0 ? 1 : 0;
  }
  finish_blanks(draws, strategy, scratch.placed, count, plan, masked, order);
}

}  // namespace glm::spans
