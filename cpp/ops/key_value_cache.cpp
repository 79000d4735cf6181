#include "ops/key_value_cache.h"

#include <algorithm>
#include <set>

namespace glm {
namespace {

/// Room grows by halves, so that a sequence's rows are moved a few times at most.
int64_t grown(int64_t capacity, int64_t rows) {
  constexpr int64_t kUnit = 16;
  int64_t wanted = std::max(rows, capacity + capacity / 2);
  return (wanted + kUnit - 1) / kUnit * kUnit;
}

void check_caches(const PackedBatch& batch, const std::vector<KeyValueCachePtr>& caches) {
  require(caches.size() == batch.host->contexts.size(), Code::kInvalidArgument, "expected ",
          batch.host->contexts.size(), " caches, one per example of the batch, found ", caches.size());
  std::set<const KeyValueCache*> distinct;
  for (const KeyValueCachePtr& cache : caches) {
    require(cache->shape() == caches[0]->shape(), Code::kInvalidArgument,
            "expected the caches of one model, found different ones");
    require(distinct.insert(cache.get()).second, Code::kInvalidArgument,
            "expected a cache once in a step, found one twice");
  }
}

/// Slots are rows of their own, not among those that the sequence shares; what tokens see has been written.
void check_decoding(const PackedBatch& batch, const std::vector<KeyValueCachePtr>& caches,
                    const HostCacheStep& step) {
  size_t tokens = batch.host->ids.size();
  auto check_length = [](const std::vector<int32_t>& array, const char* name, size_t length) {
    require(array.size() == length, Code::kInvalidArgument, "expected ", name, " to have ", length,
            " elements, found ", array.size());
  };
  check_length(step.slots, "slots", tokens);
  check_length(step.shared, "shared", caches.size());
  check_length(step.seen_offsets, "seenOffsets", tokens + 1);
  require(
      step.seen_offsets.front() == 0 && step.seen_offsets.back() == static_cast<int64_t>(step.seen.size()),
      Code::kInvalidArgument, "expected seenOffsets from 0 to ", step.seen.size());
  for (size_t s = 0; s < caches.size(); s++) {
    int64_t rows = caches[s]->rows();
    require(step.shared[s] >= 0 && step.shared[s] <= rows, Code::kInvalidArgument, "expected shared[", s,
            "] to be in [0, ", rows, "], the rows of its cache, found ", step.shared[s]);
    std::set<int32_t> added;
    int32_t begin = batch.host->offsets[s], end = batch.host->offsets[s + 1];
    for (int32_t token = begin; token < end; token++) {
      int32_t slot = step.slots[static_cast<size_t>(token)];
      require(slot >= step.shared[s] && slot < (1 << 24) && added.insert(slot).second, Code::kInvalidArgument,
              "expected slots to be rows of their own from ", step.shared[s], " on, found ", slot);
    }
    for (int32_t token = begin; token < end; token++) {
      size_t t = static_cast<size_t>(token);
      require(step.seen_offsets[t] >= 0 && step.seen_offsets[t + 1] > step.seen_offsets[t] &&
                  static_cast<size_t>(step.seen_offsets[t + 1]) <= step.seen.size(),
              Code::kInvalidArgument, "expected every token to see its own row, found token ", token,
              " with none");
      bool itself = false;
      for (int32_t i = step.seen_offsets[t]; i < step.seen_offsets[t + 1]; i++) {
        int32_t row = step.seen[static_cast<size_t>(i)];
        require(row >= step.shared[s] && (row < rows || added.count(row) > 0), Code::kInvalidArgument,
                "expected seen rows that are not shared and have been written, found row ", row, " of ",
                rows);
        itself = itself || row == step.slots[t];
      }
      require(itself, Code::kInvalidArgument, "expected every token to see its own row, found token ", token,
              " that does not");
    }
  }
}

CacheStep make_step(const std::shared_ptr<Device>& device, const PackedBatchPtr& batch,
                    const std::vector<KeyValueCachePtr>& caches, HostCacheStep arrays, bool encode) {
  auto host = std::make_shared<CacheStep::Host>();
  host->arrays = std::move(arrays);
  std::vector<int64_t> rows;
  for (size_t s = 0; s < caches.size(); s++) {
    auto first = host->arrays.slots.begin() + batch->host->offsets[s];
    auto last = host->arrays.slots.begin() + batch->host->offsets[s + 1];
    rows.push_back(*std::max_element(first, last) + 1);
    caches[s]->reserve(rows.back());  // may run out of memory: nothing has changed then
  }
  for (size_t s = 0; s < caches.size(); s++) {
    caches[s]->extend(rows[s]);
    int32_t begin = batch->host->offsets[s], end = batch->host->offsets[s + 1];
    host->sequences.push_back({.cache = caches[s]->tensor().data(),
                               .capacity = caches[s]->capacity(),
                               .first = begin,
                               .tokens = end - begin,
                               .shared = host->arrays.shared[s]});
  }
  CacheStep step;
  step.batch = batch;
  step.encode = encode;
  step.shape = caches[0]->shape();
  step.host = host;
  for (const KeyValueCachePtr& cache : caches) step.memory.push_back(cache->tensor());
  auto send = [&](const std::vector<int32_t>& array) {
    Tensor tensor(device, Shape{static_cast<int64_t>(array.size())}, DType::kInt32);
    upload(tensor, host, array.data());
    return tensor;
  };
  step.slots = send(host->arrays.slots);
  step.seen_offsets = send(host->arrays.seen_offsets);
  step.seen = send(host->arrays.seen);
  return step;
}

}  // namespace

KeyValueCache::KeyValueCache(std::shared_ptr<Device> device, const CacheShape& shape)
    : device_(std::move(device)), shape_(shape) {
  require(shape.layers > 0 && shape.heads > 0 && shape.head_width > 0 && shape.head_width <= 256,
          Code::kInvalidArgument,
          "expected a cache with layers, heads and a head width of at most 256, found ", shape.layers,
          " layers, ", shape.heads, " heads of width ", shape.head_width);
  require(shape.dtype == DType::kFloat32 || shape.dtype == DType::kBFloat16, Code::kInvalidArgument,
          "expected a cache of float32 or bfloat16, found ", name_of(shape.dtype));
}

void KeyValueCache::reserve(int64_t rows) {
  if (rows <= capacity_) return;
  int64_t capacity = grown(capacity_, rows);
  int64_t row_bytes = 2 * shape_.head_width * size_of(shape_.dtype);
  Tensor tensor(device_, Shape{shape_.layers * shape_.heads, capacity, 2, shape_.head_width}, shape_.dtype);
  if (rows_ > 0) {
    device_->launch(CopyBlocks{
        .blocks = shape_.layers * shape_.heads,
        .bytes = rows_ * row_bytes,
        .x_stride = capacity_ * row_bytes,
        .out_stride = capacity * row_bytes,
        .x = tensor_.data(),
        .out = tensor.data(),
    });
  }
  tensor_ = std::move(tensor);
  capacity_ = capacity;
}

CacheLayout CacheStep::layout() const {
  return {.tokens = batch->tokens(),
          .sequences = static_cast<int32_t>(host->sequences.size()),
          .host_sequences = host->sequences.data(),
          .host_seen_offsets = host->arrays.seen_offsets.data(),
          .slots = slots.as<int32_t>(),
          .seen_offsets = seen_offsets.as<int32_t>(),
          .seen = seen.as<int32_t>()};
}

CacheStep make_encoding_step(const std::shared_ptr<Device>& device, const PackedBatchPtr& batch,
                             const std::vector<KeyValueCachePtr>& caches) {
  check_caches(*batch, caches);
  HostCacheStep arrays;
  arrays.shared.assign(caches.size(), 0);
  arrays.seen_offsets.assign(batch->host->ids.size() + 1, 0);
  for (size_t s = 0; s < caches.size(); s++) {
    require(caches[s]->rows() == 0, Code::kInvalidArgument,
            "expected empty caches to encode into, found one with ", caches[s]->rows(), " rows");
    int32_t length = batch->host->offsets[s + 1] - batch->host->offsets[s];
    for (int32_t i = 0; i < length; i++) arrays.slots.push_back(i);
  }
  return make_step(device, batch, caches, std::move(arrays), true);
}

CacheStep make_decoding_step(const std::shared_ptr<Device>& device, const PackedBatchPtr& batch,
                             const std::vector<KeyValueCachePtr>& caches, HostCacheStep arrays) {
  check_caches(*batch, caches);
  check_decoding(*batch, caches, arrays);
  return make_step(device, batch, caches, std::move(arrays), false);
}

}  // namespace glm
