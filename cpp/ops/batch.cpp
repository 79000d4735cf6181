#include "ops/batch.h"

#include <algorithm>

#include "tensor/parcel.h"

namespace glm {
namespace {

void check_length(const std::vector<int32_t>& array, const char* name, size_t length, const char* meaning) {
  require(array.size() == length, Code::kInvalidArgument, "expected ", name, " to have ", length,
          " elements (", meaning, "), found ", array.size());
}

void check_range(const std::vector<int32_t>& array, const char* name, int64_t limit, Code code,
                 const char* advice) {
  for (size_t i = 0; i < array.size(); i++) {
    require(array[i] >= 0 && array[i] < limit, code, "expected ", name, "[", i, "] to be in [0, ", limit,
            "), found ", array[i], "; ", advice);
  }
}

/// Offsets rise from 0 to N, every example has at least one token, and its context lies inside it.
void check_examples(const HostBatch& host) {
  require(host.offsets.size() >= 2, Code::kInvalidArgument,
          "expected offsets of at least one example (2 elements), found ", host.offsets.size());
  size_t examples = host.offsets.size() - 1;
  check_length(host.contexts, "contextLengths", examples, "one per example");
  require(host.offsets.front() == 0 && host.offsets.back() == static_cast<int64_t>(host.ids.size()),
          Code::kInvalidArgument, "expected offsets to go from 0 to the number of tokens, ", host.ids.size(),
          ", found ", host.offsets.front(), " to ", host.offsets.back());
  for (size_t b = 0; b < examples; b++) {
    int64_t length = int64_t{host.offsets[b + 1]} - host.offsets[b];
    require(length > 0, Code::kInvalidArgument, "expected every example to have a token, found example ", b,
            " from offset ", host.offsets[b], " to ", host.offsets[b + 1]);
    require(host.contexts[b] >= 0 && host.contexts[b] <= length, Code::kInvalidArgument,
            "expected contextLengths[", b, "] to be in [0, ", length, "], found ", host.contexts[b]);
  }
}

int32_t longest_example(const HostBatch& host) {
  int32_t longest = 0;
  for (size_t b = 0; b + 1 < host.offsets.size(); b++) {
    longest = std::max(longest, host.offsets[b + 1] - host.offsets[b]);
  }
  return longest;
}

bool has_prompts(const HostBatch& host, const BatchLimits& limits) {
  return std::any_of(host.ids.begin(), host.ids.end(), [&](int32_t id) { return id >= limits.vocabulary; });
}

Parcel parcel_of(const HostBatch& host) {
  Parcel parcel;
  for (const auto* array : {&host.ids, &host.positions, &host.block_positions, &host.offsets, &host.contexts,
                            &host.rows, &host.targets}) {
    parcel.add(*array);
  }
  parcel.add(host.weights, DType::kFloat32);
  return parcel;
}

}  // namespace

PackedLayout PackedBatch::layout() const {
  return {.tokens = tokens(),
          .examples = static_cast<int32_t>(host->contexts.size()),
          .longest = longest,
          .offsets = offsets.as<int32_t>(),
          .contexts = contexts.as<int32_t>(),
          .host_offsets = host->offsets.data(),
          .host_contexts = host->contexts.data()};
}

void check_batch(const HostBatch& host, const BatchLimits& limits) {
  constexpr const char* kTooFar =
      "the model has no more positions: shorten the text, or use a model with a larger max_sequence_length";
  size_t tokens = host.ids.size();
  check_examples(host);
  check_length(host.positions, "positions", tokens, "one per token");
  check_length(host.block_positions, "blockPositions", tokens, "one per token");
  check_range(host.ids, "ids", limits.vocabulary + limits.prompts, Code::kInvalidArgument,
              "use the tokenizer that belongs to the model");
  if (limits.positions > 0) {
    check_range(host.positions, "positions", limits.positions, Code::kContextLength, kTooFar);
  }
  if (limits.block_positions > 0) {
    check_range(host.block_positions, "blockPositions", limits.block_positions, Code::kContextLength,
                kTooFar);
  }
  check_range(host.rows, "rows", static_cast<int64_t>(tokens), Code::kInvalidArgument,
              "a row is the index of a token in the batch");
  if (!host.targets.empty()) {
    check_length(host.targets, "targets", host.rows.size(), "one per row that has a loss");
    check_range(host.targets, "targets", limits.vocabulary, Code::kInvalidArgument,
                "use the tokenizer that belongs to the model");
  }

  if (!host.weights.empty()) {
    require(host.weights.size() == host.rows.size(), Code::kInvalidArgument, "expected weights to have ",
            host.rows.size(), " elements (one per row that has a loss), found ", host.weights.size());
  }
}

PackedBatch make_packed_batch(const std::shared_ptr<Device>& device, HostBatch host,
                              const BatchLimits& limits) {
  check_batch(host, limits);
  PackedBatch batch;
  batch.limits = limits;
  batch.longest = longest_example(host);
  batch.has_prompts = has_prompts(host, limits);
  batch.host = std::make_shared<const HostBatch>(std::move(host));
  batch.arrays = parcel_of(*batch.host)
                     .send(device, {&batch.ids, &batch.positions, &batch.block_positions, &batch.offsets,
                                    &batch.contexts, &batch.rows, &batch.targets, &batch.weights});
  return batch;
}

bool PackedBatch::fits(const HostBatch& other) const {
  return other.offsets == host->offsets && other.contexts == host->contexts &&
         other.rows.size() == host->rows.size() && other.targets.size() == host->targets.size() &&
         other.weights.size() == host->weights.size() && glm::has_prompts(other, limits) == has_prompts;
}

void PackedBatch::overwrite(const HostBatch& other) const { parcel_of(other).send_to(arrays); }

}  // namespace glm
