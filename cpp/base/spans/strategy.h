#pragma once

// What is to be masked, and how: the objectives of GLM (paper, sections 2.1 and 2.2; the original's
// ConstructBlockStrategy in blocklm_utils.py) as plain numbers. Probabilities are thresholds out of 2^32,
// shares of a text are tables over its length, so that sampling needs no floating point and every device
// draws the same spans.

#include <cstdint>

namespace glm {

enum class SpanObjective : uint8_t { kBlank, kSentence, kDocument };
constexpr int kSpanObjectives = 3;

/// The pointers belong to the caller and lie where the kernel runs.
struct SpanStrategy {
  // Token ids.
  int32_t cls = -1, eos = -1, sop = -1, eop = -1, dblock = -1;
  int32_t mask[kSpanObjectives] = {-1, -1, -1};  // by objective: [MASK], [sMASK], [gMASK]
  const int32_t* sentinel_masks = nullptr;       // [sentinels], for the second, third, … span; or null
  const int32_t* sentinel_sops = nullptr;        // [sentinels]
  int32_t sentinels = 0;
  int32_t vocabulary = 0;
  const uint8_t* sentence_ends = nullptr;  // [vocabulary], 1 where the token ends a sentence; or null

  // Lengths.
  int32_t max_length = 0;     // of a text with its [CLS]
  int32_t span_capacity = 0;  // no example has more spans
  int32_t most_spans = 0;     // of one example: span_capacity, or as many as there are sentinel tokens

  // Probabilities, out of 2^32.
  uint64_t objective_below[2] = {0, 0};  // blank below the first, sentence below the second, else document
  uint64_t single_span = 0;
  uint64_t short_sequence = 0;
  uint64_t suffix = 0;     // document objective: the rest of the text, else one long span
  uint64_t span_mask = 0;  // an input token of a blank's span becomes [dBLOCK]

  // Tables over the length of a text, [max_length + 1].
  const int32_t* blank_budget = nullptr;     // floor(mask ratio * length): tokens to mask
  const int32_t* sentence_budget = nullptr;  // floor(sentence ratio * length)
  const int32_t* document_least = nullptr;   // floor(minimal document ratio * length): tokens to generate
  const int32_t* context_budget =
      nullptr;                // floor(context mask ratio * length): [dBLOCK]s around blanks; or null
  int32_t context_range = 0;  // how near to a blank they lie

  // Span lengths 1 … longest_span: length i + 1 when the word lies below length_below[i] and no earlier one.
  const uint64_t* length_below = nullptr;  // [longest_span]
  int32_t longest_span = 0;

  bool shuffle = true;           // of the spans in Part B
  bool block_positions = true;   // else 1 in all of Part B
  bool random_position = false;  // move all positions by one random offset
  bool masked_language = false;  // no Part B: predict masked tokens in place
};

}  // namespace glm
