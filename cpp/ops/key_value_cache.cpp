#include "ops/key_value_cache.h"

#include <algorithm>
#include <bit>
#include <set>

#include "tensor/parcel.h"

namespace glm {
namespace {

/// Room grows by halves, so that a sequence's rows are moved a few times at most.
int64_t grown(int64_t capacity, int64_t rows) {
  constexpr int64_t kUnit = 16;
  int64_t wanted = std::max(rows, capacity + capacity / 2);
  return (wanted + kUnit - 1) / kUnit * kUnit;
}

void check_caches(const HostBatch& batch, const std::vector<KeyValueCachePtr>& caches) {
  require(caches.size() == batch.contexts.size(), Code::kInvalidArgument, "expected ", batch.contexts.size(),
          " caches, one per example of the batch, found ", caches.size());
  std::set<const KeyValueCache*> distinct;
  for (const KeyValueCachePtr& cache : caches) {
    require(cache->shape() == caches[0]->shape(), Code::kInvalidArgument,
            "expected the caches of one model, found different ones");
    require(distinct.insert(cache.get()).second, Code::kInvalidArgument,
            "expected a cache once in a step, found one twice");
  }
}

/// Slots are rows of their own, not among those that the sequence shares; what tokens see has been written.
void check_decoding(const HostBatch& batch, const std::vector<KeyValueCachePtr>& caches,
                    const HostCacheStep& step) {
  size_t tokens = batch.ids.size();
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
    int32_t begin = batch.offsets[s], end = batch.offsets[s + 1];
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

CacheStepSize size_of_step(const HostBatch& batch, const HostCacheStep& arrays) {
  constexpr uint32_t kFewestKeys = 256;
  CacheStepSize size;
  int32_t most_keys = 0;
  for (size_t s = 0; s < arrays.shared.size(); s++) {
    int32_t begin = batch.offsets[s], end = batch.offsets[s + 1];
    size.most_tokens = std::max(size.most_tokens, end - begin);
    for (int32_t token = begin; token < end; token++) {
      size_t t = static_cast<size_t>(token);
      int32_t named = arrays.seen_offsets[t + 1] - arrays.seen_offsets[t];
      most_keys = std::max(most_keys, arrays.shared[s] + named);
    }
  }
  size.most_keys =
      static_cast<int32_t>(std::bit_ceil(std::max(static_cast<uint32_t>(most_keys), kFewestKeys)));
  size.seen = std::bit_ceil(arrays.seen.size());
  return size;
}

/// Makes room in the caches; what is on the device of the step is then in the parcel.
Parcel parcel_of(const HostBatch& batch, const std::vector<KeyValueCachePtr>& caches, HostCacheStep arrays,
                 const CacheStepSize& size) {
  std::vector<int64_t> rows;
  for (size_t s = 0; s < caches.size(); s++) {
    auto first = arrays.slots.begin() + batch.offsets[s], last = arrays.slots.begin() + batch.offsets[s + 1];
    rows.push_back(*std::max_element(first, last) + 1);
    caches[s]->reserve(rows.back());  // may run out of memory: nothing has changed then
  }
  std::vector<CachedSequence> sequences;
  for (size_t s = 0; s < caches.size(); s++) {
    caches[s]->extend(rows[s]);
    sequences.push_back({.cache = caches[s]->tensor().data(),
                         .capacity = caches[s]->capacity(),
                         .first = batch.offsets[s],
                         .tokens = batch.offsets[s + 1] - batch.offsets[s],
                         .shared = arrays.shared[s]});
  }
  arrays.seen.resize(size.seen);
  Parcel parcel;
  parcel.add(sequences, DType::kUInt8);
  for (const auto* array : {&arrays.slots, &arrays.seen_offsets, &arrays.seen}) parcel.add(*array);
  return parcel;
}

CacheStep make_step(const std::shared_ptr<Device>& device, const PackedBatchPtr& batch,
                    const std::vector<KeyValueCachePtr>& caches, HostCacheStep arrays, bool encode) {
  CacheStep step;
  step.batch = batch;
  step.encode = encode;
  step.shape = caches[0]->shape();
  step.size = size_of_step(*batch->host, arrays);
  Parcel parcel = parcel_of(*batch->host, caches, std::move(arrays), step.size);
  for (const KeyValueCachePtr& cache : caches) step.memory.push_back(cache->tensor());
  step.arrays = parcel.send(device, {&step.sequences, &step.slots, &step.seen_offsets, &step.seen});
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
          .sequences = static_cast<int32_t>(batch->host->contexts.size()),
          .most_tokens = size.most_tokens,
          .most_keys = size.most_keys,
          .sequence = sequences.as<CachedSequence>(),
          .slots = slots.as<int32_t>(),
          .seen_offsets = seen_offsets.as<int32_t>(),
          .seen = seen.as<int32_t>()};
}

CacheStep make_encoding_step(const std::shared_ptr<Device>& device, const PackedBatchPtr& batch,
                             const std::vector<KeyValueCachePtr>& caches) {
  check_caches(*batch->host, caches);
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
  check_caches(*batch->host, caches);
  check_decoding(*batch->host, caches, arrays);
  return make_step(device, batch, caches, std::move(arrays), false);
}

bool overwrite(const CacheStep& step, const HostBatch& batch, const std::vector<KeyValueCachePtr>& caches,
               HostCacheStep arrays) {
  check_caches(batch, caches);
  require(caches[0]->shape() == step.shape, Code::kInvalidArgument,
          "expected caches of the model that was recorded, found those of another");
  check_decoding(batch, caches, arrays);
  CacheStepSize wanted = size_of_step(batch, arrays), made = step.size;
  if (wanted.most_tokens > made.most_tokens || wanted.most_keys > made.most_keys || wanted.seen > made.seen)
    return false;
  parcel_of(batch, caches, std::move(arrays), step.size).send_to(step.arrays);
  return true;
}

}  // namespace glm
