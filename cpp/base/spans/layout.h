#pragma once

// From a plan to the example (paper, section 2.1 and figure 2; the original's make_block_data). Part A is the
// text with one mask for each span; its positions count its own tokens. In Part B every span follows a start
// token, has the position of its mask and block positions 1, 2, 3, …; its targets are the next tokens, the
// last one end-of-piece.
//
// The work is shared out among lanes: one on the CPU, a block of threads on a GPU, where no lane touches what
// another has written.

#include "base/spans/draws.h"
#include "base/spans/plan.h"

namespace glm::spans {

/// Where an example is written; element 0 is its first token.
struct ExampleOut {
  int32_t* ids;
  int32_t* positions;
  int32_t* block_positions;
  int32_t* targets;
  uint8_t* loss_mask;
};

/// Thread `index` of kLanes.
template <int32_t kLanes>
struct Lanes {
  int32_t index;
};

/// ids[0 …) and targets[0 …) = text[from, to)
template <int32_t kLanes>
GLM_HOST_DEVICE static inline void copy_text(const SpanText& text, int32_t from, int32_t to,
                                             int32_t* __restrict ids, int32_t* __restrict targets,
                                             Lanes<kLanes> lanes) {
  if (from == 0 && to > 0) {
    if (lanes.index == 0) *ids = *targets = text.first_token;
    ids++, targets++, from++;
  }
  const int32_t* tokens = text.body + (from - 1);
  for (int32_t i = lanes.index; i < to - from; i += kLanes) ids[i] = targets[i] = tokens[i];
}

/// Positions and loss of Part A.
template <int32_t kLanes>
GLM_HOST_DEVICE static inline void lay_out_context(const SpanPlan& plan, const ExampleOut& out,
                                                   Lanes<kLanes> lanes) {
  for (int32_t i = lanes.index; i < plan.context_length; i += kLanes) {
    out.positions[i] = i + plan.position_offset;
    out.block_positions[i] = 0;
    out.loss_mask[i] = 0;
  }
}

/// Positions and loss of one span of Part B, `length` rows from `at`.
template <int32_t kLanes>
GLM_HOST_DEVICE static inline void lay_out_span(const SpanStrategy& strategy, int32_t at, int32_t length,
                                                int32_t position, const ExampleOut& out,
                                                Lanes<kLanes> lanes) {
  for (int32_t i = lanes.index; i < length; i += kLanes) {
    out.positions[at + i] = position;
    out.block_positions[at + i] = strategy.block_positions ? i + 1 : 1;
    out.loss_mask[at + i] = 1;
  }
}

template <int32_t kLanes>
GLM_HOST_DEVICE static inline void lay_out_blanks(const SpanStrategy& strategy, const SpanPlan& plan,
                                                  const SpanText& text, const MaskedSpan* masked,
                                                  const int32_t* order, const ExampleOut& out,
                                                  Lanes<kLanes> lanes) {
  lay_out_context(plan, out, lanes);
  int32_t from = 0, at = 0;
  for (int32_t i = 0; i < plan.spans; i++) {
    copy_text(text, from, masked[i].begin, out.ids + at, out.targets + at, lanes);
    at = masked[i].blank + 1;
    from = masked[i].begin + masked[i].length;
  }
  copy_text(text, from, text.length, out.ids + at, out.targets + at, lanes);

  at = plan.context_length;
  for (int32_t i = 0; i < plan.spans; i++) {
    const MaskedSpan span = masked[order[i]];
    // Sentinel tokens tell the spans apart by name instead of by position: all of Part B has position
    // max_length.
    bool sentinel = strategy.sentinel_sops != nullptr;
    int32_t mask = mask_of(strategy, plan.objective), sop = strategy.sop;
    if (sentinel && i > 0) {
      sop = strategy.sentinel_sops[i - 1];
      if (plan.objective == SpanObjective::kBlank) mask = strategy.sentinel_masks[i - 1];
    }
    if (lanes.index == 0) {
      out.ids[span.blank] = out.targets[span.blank] = mask;
      out.ids[at] = sop;
      out.targets[at + span.length] = strategy.eop;
    }
    copy_text(text, span.begin, span.begin + span.length, out.ids + at + 1, out.targets + at, lanes);
    lay_out_span(strategy, at, span.length + 1,
                 sentinel ? strategy.max_length : span.blank + plan.position_offset, out, lanes);
    at += span.length + 1;
  }
}

/// Part A is everything before the suffix and its mask; Part B predicts the suffix and nothing behind it. A
/// [CLS] in there is the beginning of another document, and not predicted.
template <int32_t kLanes>
GLM_HOST_DEVICE static inline void lay_out_suffix(const SpanStrategy& strategy, const SpanPlan& plan,
                                                  const SpanText& text, const MaskedSpan& suffix,
                                                  const ExampleOut& out, Lanes<kLanes> lanes) {
  lay_out_context(plan, out, lanes);
  copy_text(text, 0, suffix.begin, out.ids, out.targets, lanes);
  int32_t at = plan.context_length;
  lay_out_span(strategy, at, suffix.length, suffix.blank, out, lanes);
  if (lanes.index == 0) {
    out.ids[suffix.blank] = out.targets[suffix.blank] = mask_of(strategy, SpanObjective::kDocument);
    out.ids[at] = strategy.sop;
  }
  for (int32_t i = lanes.index; i < suffix.length; i += kLanes) {
    int32_t token = suffix.begin + i == 0 ? text.first_token : text.body[suffix.begin + i - 1];
    if (i + 1 < suffix.length) out.ids[at + i + 1] = token;
    out.targets[at + i] = token;
    if (token == strategy.cls) out.loss_mask[at + i] = 0;
  }
}

/// The masked-language-model objective: the text itself, seen in both directions, with a loss on its masked
/// tokens.
template <int32_t kLanes>
GLM_HOST_DEVICE static inline void lay_out_masked(const SpanStrategy& strategy, const SpanPlan& plan,
                                                  const SpanText& text, const MaskedSpan* masked,
                                                  const ExampleOut& out, Lanes<kLanes> lanes) {
  lay_out_context(plan, out, lanes);
  int32_t from = 0;
  for (int32_t i = 0; i < plan.spans; i++) {
    int32_t begin = masked[i].begin, end = begin + masked[i].length;
    copy_text(text, from, begin, out.ids + from, out.targets + from, lanes);
    // The lane that cleared loss_mask[j] sets it.
    for (int32_t j = lanes.index; j < end; j += kLanes) {
      if (j < begin) continue;
      out.ids[j] = mask_of(strategy, SpanObjective::kBlank);
      out.targets[j] = j == 0 ? text.first_token : text.body[j - 1];
      out.loss_mask[j] = 1;
    }
    from = end;
  }
  copy_text(text, from, text.length, out.ids + from, out.targets + from, lanes);
}

/// The example of `plan`, but for the [dBLOCK]s below.
template <int32_t kLanes>
GLM_HOST_DEVICE static inline void lay_out_example(const SpanStrategy& strategy, const SpanPlan& plan,
                                                   const SpanText& text, const MaskedSpan* masked,
                                                   const int32_t* order, const ExampleOut& out,
                                                   Lanes<kLanes> lanes) {
  switch (plan.form) {
    case SpanForm::kBlanks:
      return lay_out_blanks(strategy, plan, text, masked, order, out, lanes);
    case SpanForm::kSuffix:
      return lay_out_suffix(strategy, plan, text, masked[0], out, lanes);
    case SpanForm::kMasked:
      return lay_out_masked(strategy, plan, text, masked, out, lanes);
  }
}

/// Replaces input tokens of Part B, but no start token, by [dBLOCK], each with the same probability (the
/// original's block_mask_prob). For the blank objective; all lanes must have laid out the example before.
template <int32_t kLanes>
GLM_HOST_DEVICE static inline void mask_span_tokens(const SpanStrategy& strategy, const SpanPlan& plan,
                                                    uint64_t seed, const MaskedSpan* masked,
                                                    const int32_t* order, const ExampleOut& out,
                                                    Lanes<kLanes> lanes) {
  uint32_t stream = kSpanMaskStream + static_cast<uint32_t>(plan.part) * kStreamsOfPart;
  int32_t at = plan.context_length;
  for (int32_t i = 0; i < plan.spans; i++) {
    int32_t length = masked[order[i]].length;
    for (int32_t j = 1 + lanes.index; j <= length; j += kLanes) {
      uint32_t draw = static_cast<uint32_t>(at + j - plan.context_length);
      if (word_at(seed, static_cast<uint32_t>(plan.sample), stream, draw) < strategy.span_mask) {
        out.ids[at + j] = strategy.dblock;
      }
    }
    at += length + 1;
  }
}

/// Replaces context tokens by [dBLOCK]: `context_budget` of those within `context_range` of a blank, every
/// choice equally likely (the original's context_mask_ratio; it may also hit the [CLS] and the end of the
/// text). For the blank objective and one lane.
GLM_HOST_DEVICE static inline void mask_context(const SpanStrategy& strategy, const SpanPlan& plan,
                                                uint64_t seed, const MaskedSpan* masked,
                                                const ExampleOut& out) {
  Draws draws = begin_draws(seed, static_cast<uint32_t>(plan.sample),
                            kContextMaskStream + static_cast<uint32_t>(plan.part) * kStreamsOfPart);
  int32_t candidates = 0, wanted = 0;
  // Once to count the candidates, once to choose: each of the remaining ones with probability wanted /
  // candidates.
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 1) {
      wanted = strategy.context_budget[plan.text_length];
      if (wanted > candidates) wanted = candidates;
    }
    for (int32_t i = 0; i <= plan.spans && plan.spans > 0; i++) {
      int32_t begin = i == 0 ? 0 : masked[i - 1].blank + 1;
      int32_t end = i == plan.spans ? plan.context_length : masked[i].blank;
      int32_t behind = i == 0 ? begin : begin + strategy.context_range;       // candidates below this
      int32_t before = i == plan.spans ? end : end - strategy.context_range;  // and from here on
      for (int32_t j = begin > 1 ? begin : 1; j < end; j++) {
        if (j >= behind && j < before) j = before;
        if (j >= end) break;
        if (pass == 0) {
          candidates++;
        } else {
          if (draw_below(draws, candidates--) < wanted) {
            out.ids[j] = strategy.dblock;
            wanted--;
          }
        }
      }
    }
  }
}

}  // namespace glm::spans
