#pragma once

// The sentence objective: whole sentences, chosen at random until the sentence ratio is reached (paper,
// section 2.2).

#include "base/spans/draws.h"
#include "base/spans/plan.h"

namespace glm::spans {

/// The sentences of the text, each with the token that ends it; the last one may be cut off by the window.
/// What stands between the last end mark and an end-of-text is no sentence, as in the original, unless
/// `unfinished`.
GLM_HOST_DEVICE static inline int32_t find_sentences(const SpanStrategy& strategy, const SpanText& text,
                                                     bool unfinished, uint64_t* sentences) {
  int32_t count = 0, begin = 1;
  for (int32_t i = 1; i < text.length; i++) {
    int32_t token = text.body[i - 1];
    bool ends_sentence = strategy.sentence_ends[token] != 0, ends_text = token == strategy.eos;
    if (token == strategy.cls && begin == i) begin = i + 1;
    if (!ends_sentence && !ends_text) continue;
    int32_t end = ends_text ? i : i + 1;
    if (begin < end && (!ends_text || unfinished)) sentences[count++] = pack_span(begin, end - begin);
    begin = i + 1;
  }
  if (begin < text.length) sentences[count++] = pack_span(begin, text.length - begin);
  return count;
}

/// Returns the number of spans in scratch.placed, ascending.
GLM_HOST_DEVICE static inline int32_t sample_sentences(Draws& draws, const SpanStrategy& strategy,
                                                       const SpanText& text, const Scratch& scratch) {
  int32_t sentences = find_sentences(strategy, text, false, scratch.pieces);
  if (sentences == 0) sentences = find_sentences(strategy, text, true, scratch.pieces);
  int32_t budget = strategy.sentence_budget[text.length];
  int32_t count = 0;
  for (int32_t tokens = 0; count < sentences && count < strategy.most_spans; count++) {
    if (count > 0 && tokens >= budget) break;
    int32_t chosen = count + draw_below(draws, sentences - count);
    uint64_t sentence = scratch.pieces[chosen];
    scratch.pieces[chosen] = scratch.pieces[count];
    scratch.placed[count] = sentence;
    tokens += length_of(sentence);
  }
  sort_ascending(scratch.placed, count);
  return count;
}

}  // namespace glm::spans
