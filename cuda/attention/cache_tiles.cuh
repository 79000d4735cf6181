#pragma once

// The new tokens of a decoding step, in tiles of up to 16 that belong to one sequence, and the keys that they
// see, in chunks of 32: the rows that the sequence shares, then those that a token names. How many there may
// be follows from the layout's bounds, so that a grid does not depend on what the arrays hold.

#include "backend/params.h"

namespace glm::cuda::attention {

constexpr int32_t kTileTokens = 16;
constexpr int32_t kChunkKeys = 32;

struct CacheTile {
  CachedSequence sequence;
  int32_t first, tokens;  // none behind the sequence's last token
};

__host__ __device__ inline int32_t tiles_of_sequence(const CacheLayout& layout) {
  return (layout.most_tokens + kTileTokens - 1) / kTileTokens;
}
__host__ __device__ inline int32_t chunks_of(int32_t keys) { return (keys + kChunkKeys - 1) / kChunkKeys; }

/// Tiles that a grid has to have blocks for.
inline unsigned most_cache_tiles(const CacheLayout& layout) {
  return static_cast<unsigned>(layout.sequences * tiles_of_sequence(layout));
}

__device__ inline CacheTile cache_tile(const CacheLayout& layout, unsigned index) {
  unsigned of_sequence = static_cast<unsigned>(tiles_of_sequence(layout));
  CachedSequence sequence = layout.sequence[index / of_sequence];
  int32_t done = static_cast<int32_t>(index % of_sequence) * kTileTokens;
  return {sequence, sequence.first + done, min(sequence.tokens - done, kTileTokens)};
}

/// The rows of the cache that a token sees: first the shared ones, then those it names.
struct SeenRows {
  int32_t shared, count;
  const int32_t* named;

  __device__ SeenRows(const CacheLayout& layout, int32_t shared_rows, int32_t token)
      : shared(shared_rows),
        count(shared_rows + layout.seen_offsets[token + 1] - layout.seen_offsets[token]),
        named(layout.seen + layout.seen_offsets[token]) {}
  __device__ int64_t operator[](int32_t j) const { return j < shared ? j : named[j - shared]; }
};

}  // namespace glm::cuda::attention
