#pragma once

// The new tokens of a decoding step, in tiles of up to 16 that belong to one sequence, and the keys that they
// see, in chunks of 32: the rows that the sequence shares, then those that a token names.

#include <algorithm>
#include <vector>

#include "backend/params.h"

namespace glm::cuda::attention {

constexpr int32_t kTileTokens = 16;
constexpr int32_t kChunkKeys = 32;

struct CacheTile {
  void* cache;  // of the sequence: [layers, H, capacity, 2, D]
  int64_t capacity;
  int64_t partial;  // of its first chunk, token and head: the others follow in [chunks, tokens, H]
  int32_t first, tokens;
  int32_t shared;
  int32_t chunks;  // of the token that sees most
};

inline std::vector<CacheTile> cache_tiles(const CacheLayout& layout, int32_t heads) {
  std::vector<CacheTile> tiles;
  int64_t partial = 0;
  for (int32_t s = 0; s < layout.sequences; s++) {
    const CachedSequence& sequence = layout.host_sequences[s];
    for (int32_t done = 0; done < sequence.tokens; done += kTileTokens) {
      CacheTile tile{sequence.cache,
                     sequence.capacity,
                     partial,
                     sequence.first + done,
                     std::min(sequence.tokens - done, kTileTokens),
                     sequence.shared,
                     0};
      for (int32_t i = tile.first; i < tile.first + tile.tokens; i++) {
        int32_t keys = tile.shared + layout.host_seen_offsets[i + 1] - layout.host_seen_offsets[i];
        tile.chunks = std::max(tile.chunks, (keys + kChunkKeys - 1) / kChunkKeys);
      }
      partial += int64_t{tile.chunks} * tile.tokens * heads;
      tiles.push_back(tile);
    }
  }
  return tiles;
}

/// One past the last partial result.
inline int64_t partials(const std::vector<CacheTile>& tiles, int32_t heads) {
  if (tiles.empty()) return 0;
  const CacheTile& last = tiles.back();
  return last.partial + int64_t{last.chunks} * last.tokens * heads;
}

}  // namespace glm::cuda::attention
