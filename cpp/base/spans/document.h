#pragma once

// The document objective: one long span, between the minimal ratio and all of the text (paper, section 2.2).
// It is the text's end, or, where the window holds a single document, with some probability a span at a
// random place.

#include "base/spans/documents.h"

namespace glm::spans {

struct LongSpan {
  SpanForm form;
  int32_t begin, length;  // length 0: the text has nothing to generate
};

GLM_HOST_DEVICE static inline LongSpan sample_long_span(Draws& draws, const SpanStrategy& strategy,
                                                        const SpanText& text) {
  // The [CLS] and, as in the original, one more token always stay; a text of two tokens can only spare one.
  int32_t most = text.length > 2 ? text.length - 2 : text.length - 1;
  if (most == 0) return {SpanForm::kSuffix, text.length, 0};
  int32_t least = strategy.document_least[text.length];
  least = least < 1 ? 1 : least > most ? most : least;
  int32_t length = least + draw_below(draws, most - least + 1);
  bool suffix = draw_chance(draws, strategy.suffix);
  if (suffix || text.length < 3 || has_several_documents(text, strategy.eos)) {
    return {SpanForm::kSuffix, text.length - length, length};
  }
  return {SpanForm::kBlanks, 1 + draw_below(draws, text.length - 2 - length + 1), length};
}

}  // namespace glm::spans
