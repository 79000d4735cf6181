#include "ops/spans.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/spans/row.h"

namespace glm {
namespace {

constexpr int64_t kLongestText = int64_t{1} << 20;
constexpr int64_t kLargestSample = INT32_MAX;

// ---- options
// ----------------------------------------------------------------------------------------------------

void check_probability(double value, const char* name) {
  require(value >= 0 && value <= 1, Code::kInvalidArgument, "expected ", name, " to be from 0 to 1, found ",
          value);
}

void check_ratio(double value, const char* name) {
  require(value > 0 && value <= 1, Code::kInvalidArgument, "expected ", name,
          " to be a share of the text, above 0 and at most 1, found ", value);
}

void check_id(int32_t id, int64_t vocabulary, const char* name, const char* advice) {
  require(id >= 0 && id < vocabulary, Code::kInvalidArgument, "expected special.", name,
          " to be an id of the vocabulary (0 to ", vocabulary - 1, "), found ", id, "; ", advice);
}

uint64_t threshold_of(double probability) { return static_cast<uint64_t>(probability * 4294967296.0 + 0.5); }

/// floor(ratio · length) for each length, in float64 as the original's int(ratio * len(tokens)).
std::vector<int32_t> share_table(double ratio, int64_t max_length) {
  std::vector<int32_t> table(static_cast<size_t>(max_length) + 1);
  for (size_t i = 0; i < table.size(); i++) table[i] = static_cast<int32_t>(ratio * static_cast<double>(i));
  return table;
}

/// Thresholds for lengths 1 … `longest`, with the Poisson distribution's weights. Ratios of neighbours alone,
/// from the largest weight outwards: nothing overflows, and multiplication and division round the same on
/// every machine.
std::vector<uint64_t> length_thresholds(double mean, int64_t longest) {
  std::vector<double> weight(static_cast<size_t>(longest) + 1, 0.0);
  int64_t mode = std::clamp<int64_t>(static_cast<int64_t>(std::min(mean, 1e9)), 1, longest);
  weight[static_cast<size_t>(mode)] = 1.0;
  for (int64_t k = mode - 1; k >= 1; k--) {
    weight[static_cast<size_t>(k)] = weight[static_cast<size_t>(k) + 1] * static_cast<double>(k + 1) / mean;
  }
  for (int64_t k = mode + 1; k <= longest; k++) {
    weight[static_cast<size_t>(k)] = weight[static_cast<size_t>(k) - 1] * mean / static_cast<double>(k);
  }
  double total = 0, below = 0;
  for (double w : weight) total += w;
  std::vector<uint64_t> thresholds;
  for (int64_t k = 1; k <= longest; k++)
    thresholds.push_back(threshold_of((below += weight[static_cast<size_t>(k)]) / total));
  return thresholds;
}

}  // namespace

SpanBuilder::SpanBuilder(SpanOptions options) : options_(std::move(options)) {
  check_options();
  const SpanOptions& o = options_;
  blank_budget_ = share_table(o.mask_ratio, o.max_length);
  sentence_budget_ = share_table(o.sentence_ratio, o.max_length);
  document_least_ = share_table(o.min_document_ratio, o.max_length);
  if (o.context_mask_ratio > 0) context_budget_ = share_table(o.context_mask_ratio, o.max_length);
  length_below_ = length_thresholds(o.average_span_length, o.max_span_length);

  SpanStrategy& s = strategy_;
  s.cls = o.cls;
  s.eos = o.eos;
  s.sop = o.sop;
  s.eop = o.eop;
  s.dblock = o.dblock;
  s.mask[0] = o.mask;
  s.mask[1] = o.sentence_mask;
  s.mask[2] = o.document_mask;
  if (!o.sentinel_sops.empty()) {
    s.sentinel_masks = o.sentinel_masks.data();
    s.sentinel_sops = o.sentinel_sops.data();
    s.sentinels = static_cast<int32_t>(o.sentinel_sops.size());
  }
  s.vocabulary = static_cast<int32_t>(o.vocabulary);
  if (!o.sentence_ends.empty()) s.sentence_ends = o.sentence_ends.data();
  s.max_length = static_cast<int32_t>(o.max_length);
  // A span has at least one token, and the spans of an example never have more than the budget.
  s.span_capacity = std::max({1, blank_budget_.back(), sentence_budget_.back()});
  s.most_spans = s.sentinels > 0 ? std::min(s.span_capacity, s.sentinels + 1) : s.span_capacity;
  double shares = o.blank + o.sentence + o.document;
  s.objective_below[0] = threshold_of(o.blank / shares);
  s.objective_below[1] = o.document == 0 ? uint64_t{1} << 32 : threshold_of((o.blank + o.sentence) / shares);
  s.single_span = threshold_of(o.single_span_probability);
  s.short_sequence = threshold_of(o.short_sequence_probability);
  s.suffix = threshold_of(o.suffix_probability);
  s.span_mask = threshold_of(o.span_mask_probability);
  s.blank_budget = blank_budget_.data();
  s.sentence_budget = sentence_budget_.data();
  s.document_least = document_least_.data();
  s.context_budget = context_budget_.empty() ? nullptr : context_budget_.data();
  s.context_range = static_cast<int32_t>(o.context_mask_range);
  s.length_below = length_below_.data();
  s.longest_span = static_cast<int32_t>(o.max_span_length);
  s.shuffle = o.shuffle;
  s.block_positions = o.block_positions;
  s.random_position = o.random_position;
  s.masked_language = o.masked_language_model;
}

void SpanBuilder::check_options() const {
  const SpanOptions& o = options_;
  require(o.max_length >= 4 && o.max_length <= kLongestText, Code::kInvalidArgument,
          "expected maxLength to be from 4 to ", kLongestText, ", found ", o.max_length,
          "; it is the length of a text with its [CLS], for example 512");
  require(o.vocabulary > 0 && o.vocabulary <= INT32_MAX, Code::kInvalidArgument,
          "expected the size of the vocabulary to be from 1 to 2^31 - 1, found ", o.vocabulary);
  require(o.sentence_ends.empty() || static_cast<int64_t>(o.sentence_ends.size()) == o.vocabulary,
          Code::kInvalidArgument, "expected sentenceEnds to have one element per id, ", o.vocabulary,
          ", found ", o.sentence_ends.size());
  check_ratio(o.mask_ratio, "maskRatio");
  check_ratio(o.sentence_ratio, "sentenceRatio");
  check_ratio(o.min_document_ratio, "minDocumentRatio");
  require(o.average_span_length > 0 && o.average_span_length <= 1e6, Code::kInvalidArgument,
          "expected averageSpanLength to be above 0 and at most 1,000,000 tokens, found ",
          o.average_span_length);
  require(o.max_span_length >= 1 && o.max_span_length <= kLongestText, Code::kInvalidArgument,
          "expected maxSpanLength to be from 1 to ", kLongestText, " tokens, found ", o.max_span_length);
  check_probability(o.suffix_probability, "suffixProbability");
  check_probability(o.single_span_probability, "singleSpanProbability");
  check_probability(o.short_sequence_probability, "shortSequenceProbability");
  check_probability(o.span_mask_probability, "spanMaskProbability");
  check_probability(o.context_mask_ratio, "contextMaskRatio");
  require(o.context_mask_range >= 1 && o.context_mask_range <= kLongestText, Code::kInvalidArgument,
          "expected contextMaskRange to be from 1 to ", kLongestText, " tokens, found ",
          o.context_mask_range);
  check_objectives();
  check_extras();
}

void SpanBuilder::check_objectives() const {
  const SpanOptions& o = options_;
  double shares[] = {o.blank, o.sentence, o.document};
  const char* names[] = {"mix.blank", "mix.sentence", "mix.document"};
  for (int i = 0; i < 3; i++) {
    require(shares[i] >= 0 && shares[i] <= 1e9, Code::kInvalidArgument, "expected ", names[i],
            " to be a share of the examples, 0 or more, found ", shares[i]);
  }
  require(o.blank + o.sentence + o.document > 0, Code::kInvalidArgument,
          "expected mix to give at least one objective a share, found none; for example { blank: 1 }");
  const char* advice = "take special from the tokenizer that made the rows";
  check_id(o.cls, o.vocabulary, "cls", advice);
  check_id(o.eos, o.vocabulary, "eos", advice);
  check_id(o.sop, o.vocabulary, "sop", advice);
  check_id(o.eop, o.vocabulary, "eop", advice);
  if (o.blank > 0) check_id(o.mask, o.vocabulary, "mask", "the blank objective needs it");
  if (o.sentence > 0) {
    check_id(o.sentence_mask, o.vocabulary, "smask", "the sentence objective needs it, or taskMasks: false");
  }
  if (o.document > 0) {
    check_id(o.document_mask, o.vocabulary, "gmask", "the document objective needs it, or taskMasks: false");
  }
  require(
      o.sentence == 0 || !o.sentence_ends.empty(), Code::kInvalidArgument,
      "expected sentenceEnds for the sentence objective, found none; pass a tokenizer, or its sentenceEnds");
}

void SpanBuilder::check_extras() const {
  const SpanOptions& o = options_;
  if (o.short_sequence_probability > 0) {
    require(
        !o.sentence_ends.empty(), Code::kInvalidArgument,
        "expected sentenceEnds for short sequences, which begin and end with sentences, found none; pass a "
        "tokenizer, or its sentenceEnds");
    require(o.max_length >= spans::kShortestSequence + 2, Code::kInvalidArgument,
            "expected maxLength to be at least ", spans::kShortestSequence + 2,
            " with shortSequenceProbability, found ", o.max_length,
            "; short sequences have 32 tokens or more");
  }
  if (o.span_mask_probability > 0 || o.context_mask_ratio > 0) {
    check_id(o.dblock, o.vocabulary, "dblock",
             "spanMaskProbability and contextMaskRatio need the token [dBLOCK]");
  }
  require(o.sentinel_masks.size() == o.sentinel_sops.size(), Code::kInvalidArgument,
          "expected sentinels.mask and sentinels.sop to have the same length, found ",
          o.sentinel_masks.size(), " and ", o.sentinel_sops.size());
  for (size_t i = 0; i < o.sentinel_masks.size(); i++) {
    for (int32_t id : {o.sentinel_masks[i], o.sentinel_sops[i]}) {
      require(id >= 0 && id < o.vocabulary, Code::kInvalidArgument,
              "expected sentinel tokens to be ids of the vocabulary (0 to ", o.vocabulary - 1, "), found ",
              id);
    }
  }
  if (o.masked_language_model) {
    require(o.sentence == 0 && o.document == 0, Code::kInvalidArgument,
            "expected mix to be { blank: 1 } with maskedLanguageModel, which has no Part B, found shares for "
            "other "
            "objectives; leave them out");
    require(o.sentinel_sops.empty() && o.span_mask_probability == 0 && o.context_mask_ratio == 0 &&
                !o.random_position,
            Code::kInvalidArgument,
            "expected no sentinels, spanMaskProbability, contextMaskRatio or randomPosition with "
            "maskedLanguageModel, "
            "which has no Part B; leave them out");
  }
}

// ---- building
// ---------------------------------------------------------------------------------------------------

namespace {

bool has_id_outside(const int32_t* ids, int64_t count, int32_t vocabulary) {
  uint32_t outside = 0, limit = static_cast<uint32_t>(vocabulary);
  for (int64_t i = 0; i < count; i++) outside |= static_cast<uint32_t>(ids[i]) >= limit ? 1u : 0u;
  return outside != 0;
}

/// Lets the kernel write the examples of `plans`.
SpanBatch lay_out(Kernels& kernels, const SpanStrategy& strategy, uint64_t seed, const int32_t* tokens,
                  const std::vector<SpanPlan>& plans, const MaskedSpan* masked, const int32_t* orders) {
  SpanBatch batch;
  int64_t length = 0;
  batch.offsets.push_back(0);
  for (const SpanPlan& plan : plans) {
    length += plan.length;
    require(length <= INT32_MAX, Code::kInvalidArgument,
            "expected a batch of fewer than 2^31 tokens; pass fewer rows at a time");
    batch.offsets.push_back(static_cast<int32_t>(length));
    batch.contexts.push_back(plan.context_length);
    batch.samples.push_back(plan.sample);
    batch.objectives.push_back(static_cast<uint8_t>(plan.objective));
  }
  size_t n = static_cast<size_t>(length);
  for (auto* array : {&batch.ids, &batch.positions, &batch.block_positions, &batch.targets}) {
    *array = std::unique_ptr<int32_t[]>(new int32_t[n]);
  }
  batch.loss_mask = std::unique_ptr<uint8_t[]>(new uint8_t[n]);
  kernels.run(LayOutSpans{.strategy = strategy,
                          .seed = seed,
                          .examples = static_cast<int32_t>(plans.size()),
                          .tokens = tokens,
                          .plans = plans.data(),
                          .masked = masked,
                          .orders = orders,
                          .offsets = batch.offsets.data(),
                          .ids = batch.ids.get(),
                          .positions = batch.positions.get(),
                          .block_positions = batch.block_positions.get(),
                          .targets = batch.targets.get(),
                          .loss_mask = batch.loss_mask.get()});
  return batch;
}

}  // namespace

void SpanBuilder::check_rows(const std::vector<int32_t>& tokens, const std::vector<int32_t>& row_offsets,
                             int64_t first_sample) const {
  require(row_offsets.size() >= 2, Code::kInvalidArgument, "expected at least one row, found none");
  int64_t rows = static_cast<int64_t>(row_offsets.size()) - 1;
  require(first_sample >= 0 && first_sample + rows - 1 <= kLargestSample, Code::kInvalidArgument,
          "expected sample numbers (index + row) from 0 to ", kLargestSample, ", found ", first_sample,
          " to ", first_sample + rows - 1);
  require(row_offsets.front() == 0 && row_offsets.back() == static_cast<int64_t>(tokens.size()),
          Code::kInvalidArgument, "expected the offsets of the rows to go from 0 to the number of tokens, ",
          tokens.size(), ", found ", row_offsets.front(), " to ", row_offsets.back());
  for (int64_t r = 0; r < rows; r++) {
    int64_t length = row_offsets[static_cast<size_t>(r) + 1] - row_offsets[static_cast<size_t>(r)];
    require(length >= 1, Code::kInvalidArgument, "expected row ", r,
            " to have at least one token besides [CLS], found none; leave empty rows out");
    require(length < options_.max_length, Code::kInvalidArgument, "expected row ", r, " to have at most ",
            options_.max_length, " tokens with its [CLS] (maxLength), found ", length + 1,
            "; cut the text into shorter windows");
  }
  if (!has_id_outside(tokens.data(), static_cast<int64_t>(tokens.size()), strategy_.vocabulary)) return;
  for (int64_t r = 0, i = 0; r < rows; r++) {
    for (int64_t begin = row_offsets[static_cast<size_t>(r)]; i < row_offsets[static_cast<size_t>(r) + 1];
         i++) {
      int32_t id = tokens[static_cast<size_t>(i)];
      require(id >= 0 && id < options_.vocabulary, Code::kInvalidArgument, "expected token ids from 0 to ",
              options_.vocabulary - 1, ", found ", id, " in row ", r, " (token ", i - begin,
              " behind its [CLS]); use the tokenizer that made the rows");
    }
  }
}

SpanBatch SpanBuilder::build(Kernels& kernels, const std::vector<int32_t>& tokens,
                             const std::vector<int32_t>& row_offsets, uint64_t seed,
                             int64_t first_sample) const {
  check_rows(tokens, row_offsets, first_sample);
  std::vector<int32_t> rows, parts;
  for (int32_t r = 0; r + 1 < static_cast<int32_t>(row_offsets.size()); r++) {
    int32_t count = 1;
    if (strategy_.short_sequence != 0) {
      count = spans::draw_row(strategy_, seed, static_cast<uint64_t>(first_sample + r)).parts;
    }
    for (int32_t part = 0; part < count; part++) {
      rows.push_back(r);
      parts.push_back(part);
    }
  }
  size_t examples = rows.size(), capacity = examples * static_cast<size_t>(strategy_.span_capacity);
  std::vector<SpanPlan> plans(examples);
  std::unique_ptr<MaskedSpan[]> masked(new MaskedSpan[capacity]);
  std::unique_ptr<int32_t[]> orders(new int32_t[capacity]);
  PlanSpans params{.strategy = strategy_,
                   .seed = seed,
                   .first_sample = static_cast<int32_t>(first_sample),
                   .examples = static_cast<int32_t>(examples),
                   .rows = rows.data(),
                   .parts = parts.data(),
                   .tokens = tokens.data(),
                   .row_offsets = row_offsets.data(),
                   .plans = plans.data(),
                   .masked = masked.get(),
                   .orders = orders.get(),
                   .workspace = nullptr};
  std::unique_ptr<uint64_t[]> workspace(new uint64_t[kernels.workspace_bytes(params) / 8 + 1]);
  params.workspace = workspace.get();
  kernels.run(params);
  return lay_out(kernels, strategy_, seed, tokens.data(), plans, masked.get(), orders.get());
}

// ---- layout
// -----------------------------------------------------------------------------------------------------

namespace {

void check_layout(const SpanLayout& layout) {
  int64_t length = static_cast<int64_t>(layout.tokens.size());
  require(length >= 1 && length <= kLongestText, Code::kInvalidArgument, "expected a text of 1 to ",
          kLongestText, " tokens, found ", length);
  require(!has_id_outside(layout.tokens.data(), length, INT32_MAX), Code::kInvalidArgument,
          "expected token ids of 0 or more, found a negative one");
  size_t count = layout.begins.size();
  require(layout.ends.size() == count && layout.order.size() == count, Code::kInvalidArgument,
          "expected as many ends and places in Part B as spans, ", count, ", found ", layout.ends.size(),
          " and ", layout.order.size());
  int64_t free_from = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t begin = layout.begins[i], end = layout.ends[i];
    require(begin >= free_from && end > begin && end <= length, Code::kInvalidArgument,
            "expected spans [start, end) in the order of the text, not empty, not overlapping, inside its ",
            length, " tokens; found [", begin, ", ", end, ") as span ", i);
    free_from = end;
  }
  std::vector<bool> taken(count, false);
  for (int32_t span : layout.order) {
    require(span >= 0 && static_cast<size_t>(span) < count && !taken[static_cast<size_t>(span)],
            Code::kInvalidArgument, "expected order to name each of the ", count,
            " spans once, from 0, found ", span);
    taken[static_cast<size_t>(span)] = true;
  }
}

}  // namespace

SpanBatch lay_out_spans(Kernels& kernels, const SpanLayout& layout) {
  check_layout(layout);
  SpanStrategy strategy;
  strategy.cls = layout.cls;
  strategy.sop = layout.sop;
  strategy.eop = layout.eop;
  strategy.mask[static_cast<int>(layout.objective)] = layout.mask;
  size_t count = layout.begins.size();
  strategy.span_capacity = static_cast<int32_t>(count);

  SpanPlan plan;
  plan.first_token = layout.tokens[0];
  plan.text_length = static_cast<int32_t>(layout.tokens.size());
  plan.spans = static_cast<int32_t>(count);
  plan.form = layout.form;
  plan.objective = layout.objective;
  std::vector<MaskedSpan> masked;
  int32_t tokens = 0;
  for (size_t i = 0; i < count; i++) {
    int32_t length = layout.ends[i] - layout.begins[i];
    masked.push_back({layout.begins[i], length, layout.begins[i] - tokens + static_cast<int32_t>(i)});
    tokens += length;
  }
  plan.context_length = plan.text_length - tokens + plan.spans;
  // A suffix is not ended by an end-of-piece.
  plan.length = plan.context_length + tokens + (layout.form == SpanForm::kSuffix ? 0 : plan.spans);
  return lay_out(kernels, strategy, 0, layout.tokens.data() + 1, {plan}, masked.data(), layout.order.data());
}

}  // namespace glm
