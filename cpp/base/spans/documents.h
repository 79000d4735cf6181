#pragma once

// Where the documents of a window lie, and how spans are placed inside one (the original's
// sample_span_in_document and sample_spans). An end-of-text token ends a document; a [CLS] may begin one.
// Neither is ever masked, and of a document that the window cuts off, the last token isn't either.

#include "base/spans/draws.h"
#include "base/spans/plan.h"

namespace glm::spans {

/// Whether end-of-text stands anywhere but at the very end, so that there is a second document.
GLM_HOST_DEVICE static inline bool has_several_documents(const SpanText& text, int32_t eos) {
  int32_t found = 0;
  for (int32_t i = 0; i < text.length - 2; i++) found |= text.body[i] == eos;
  return found != 0;
}

/// A document as one number that sorts by length and, among equals, puts the later one first: the original
/// collects them from the end and sorts by length alone.
GLM_HOST_DEVICE static inline uint64_t pack_document(const SpanText& text, int32_t begin, int32_t length) {
  return static_cast<uint64_t>(length) << 32 | static_cast<uint32_t>(text.length - begin);
}
GLM_HOST_DEVICE static inline int32_t document_begin(const SpanText& text, uint64_t document) {
  return text.length - static_cast<int32_t>(document & 0xffffffffu);
}
GLM_HOST_DEVICE static inline int32_t document_length(uint64_t document) {
  return static_cast<int32_t>(document >> 32);
}

/// The documents that have a token to mask, shortest first. The text's first token belongs to none.
GLM_HOST_DEVICE static inline int32_t find_documents(const SpanStrategy& strategy, const SpanText& text,
                                                     uint64_t* documents) {
  if (!has_several_documents(text, strategy.eos)) {
    if (text.length < 3) return 0;
    documents[0] = pack_document(text, 1, text.length - 2);
    return 1;
  }
  int32_t count = 0, begin = 1;
  for (int32_t i = 1; i <= text.length; i++) {
    bool cut_off = i == text.length;
    if (!cut_off && text.body[i - 1] != strategy.eos) continue;
    if (begin < i && begin > 1 && text.body[begin - 1] == strategy.cls) begin++;
    int32_t length = i - begin - (cut_off ? 1 : 0);
    if (length > 0) documents[count++] = pack_document(text, begin, length);
    begin = i + 1;
  }
  sort_ascending(documents, count);
  return count;
}

/// How many of the `count` spans at `lengths` a document takes: as many, in order, as stay within `budget`
/// tokens and leave one unmasked token between neighbours in `room` tokens.
GLM_HOST_DEVICE static inline int32_t count_that_fit(const int32_t* lengths, int32_t count, int32_t budget,
                                                     int32_t room) {
  int32_t taken = 0;
  for (int32_t tokens = 0; taken < count; taken++) {
    tokens += lengths[taken];
    if (tokens > budget || tokens + taken > room) break;
  }
  return taken;
}

/// Places spans of these lengths, in this order, at random in `room` tokens from `begin`, at least one token
/// apart.
GLM_HOST_DEVICE static inline void place_spans(Draws& draws, const int32_t* lengths, int32_t count,
                                               int32_t begin, int32_t room, int32_t* places,
                                               uint64_t* placed) {
  int32_t gaps = room - (count - 1);
  for (int32_t i = 0; i < count; i++) gaps -= lengths[i];
  for (int32_t i = 0; i < count; i++) places[i] = draw_below(draws, gaps + 1);
  sort_ascending(places, count);
  for (int32_t i = 0; i < count; i++) {
    placed[i] = pack_span(begin + places[i], lengths[i]);
    begin += lengths[i] + 1;
  }
}

}  // namespace glm::spans
