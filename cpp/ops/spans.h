#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/kernels.h"

namespace glm {

/// What to mask and how, in the words of BlankInfilling in ts/data/blank-infilling.ts.
struct SpanOptions {
  int32_t cls = -1, eos = -1, sop = -1, eop = -1, dblock = -1;
  int32_t mask = -1, sentence_mask = -1, document_mask = -1;
  std::vector<int32_t> sentinel_masks,
      sentinel_sops;                   // of one length; empty: 2D positions tell the spans apart
  std::vector<uint8_t> sentence_ends;  // [vocabulary]; empty: not known
  int64_t vocabulary = 0;              // ids lie below
  int64_t max_length = 0;              // of a text with its [CLS]

  double blank = 0, sentence = 0, document = 0;  // shares of the objectives
  double mask_ratio = 0, sentence_ratio = 0, min_document_ratio = 0;
  double average_span_length = 0;
  int64_t max_span_length = 0;
  double suffix_probability = 0, single_span_probability = 0, short_sequence_probability = 0;
  double span_mask_probability = 0, context_mask_ratio = 0;
  int64_t context_mask_range = 0;
  bool shuffle = true, block_positions = true, random_position = false, masked_language_model = false;
};

/// Packed examples on the host; see `Batch` in ts/data/batch.ts.
struct SpanBatch {
  std::unique_ptr<int32_t[]> ids, positions, block_positions, targets;  // [N]
  std::unique_ptr<uint8_t[]> loss_mask;                                 // [N]
  std::vector<int32_t> offsets;                                         // [B + 1]
  std::vector<int32_t> contexts, samples;                               // [B]
  std::vector<uint8_t> objectives;                                      // [B]

  int64_t tokens() const { return offsets.back(); }
  int64_t examples() const { return static_cast<int64_t>(contexts.size()); }
};

/// Makes examples of rows of tokens, by a checked strategy.
class SpanBuilder {
 public:
  /// Throws kInvalidArgument for options that are out of range or contradict each other.
  explicit SpanBuilder(SpanOptions options);
  SpanBuilder(SpanBuilder&&) = default;
  SpanBuilder(const SpanBuilder&) = delete;

  /// Row r is tokens[row_offsets[r], row_offsets[r + 1]), a text without its first [CLS], and sample
  /// `first_sample + r`. Throws kInvalidArgument for a row that is empty or too long and for an id outside
  /// the vocabulary. Any thread.
  SpanBatch build(Kernels& kernels, const std::vector<int32_t>& tokens,
                  const std::vector<int32_t>& row_offsets, uint64_t seed, int64_t first_sample) const;

 private:
  void check_options() const;
  void check_objectives() const;
  void check_extras() const;
  void check_rows(const std::vector<int32_t>& tokens, const std::vector<int32_t>& row_offsets,
                  int64_t first_sample) const;

  SpanOptions options_;
  std::vector<int32_t> blank_budget_, sentence_budget_, document_least_, context_budget_;
  std::vector<uint64_t> length_below_;
  SpanStrategy strategy_;  // points into the vectors
};

/// An example with nothing random about it.
struct SpanLayout {
  std::vector<int32_t> tokens;        // the text as it is, at least one token
  std::vector<int32_t> begins, ends;  // the spans, in the order of the text
  std::vector<int32_t> order;         // Part B's i-th span is span order[i]
  SpanObjective objective = SpanObjective::kBlank;
  SpanForm form = SpanForm::kBlanks;  // kSuffix: one span up to the end of the text
  int32_t cls = -1, sop = -1, eop = -1, mask = -1;
};

/// Throws kInvalidArgument for spans that are empty, overlap or lie outside the text, or an order that
/// is not one.
SpanBatch lay_out_spans(Kernels& kernels, const SpanLayout& layout);

}  // namespace glm
