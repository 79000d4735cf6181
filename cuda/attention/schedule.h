#pragma once

// What a block of an attention kernel works on: a tile of rows (or of columns) of one example, and one head.
// The host lists the tiles, the most work first, so that short examples fill the device behind long ones; all
// heads of a tile follow one another (block = tile · heads + head).

#include <algorithm>
#include <cstdint>
#include <vector>

#include "backend/params.h"
#include "base/glm_mask.h"
#include "host/queue.h"

namespace glm::cuda::attention {

struct Tile {
  int32_t offset, length, context;  // of the example
  int32_t begin;                    // its first row or column, within the example
};

/// Calls start(items, count) with items on the device, once unless they are very many.
template <class Item, class Start>
void with_items(Queue& queue, const std::vector<Item>& items, const Start& start) {
  constexpr size_t kMost = Queue::kSlotBytes / sizeof(Item);
  for (size_t done = 0; done < items.size(); done += kMost) {
    size_t count = std::min(kMost, items.size() - done);
    queue.with_staged(items.data() + done, count * sizeof(Item), [&](const void* staged) {
      start(static_cast<const Item*>(staged), static_cast<unsigned>(count));
    });
  }
}

namespace detail {

template <class Work>
std::vector<Tile> most_work_first(const PackedLayout& layout, int32_t size, const Work& work) {
  std::vector<Tile> tiles;
  for (int32_t e = 0; e < layout.examples; e++) {
    int32_t offset = layout.host_offsets[e], length = layout.host_offsets[e + 1] - offset;
    for (int32_t begin = 0; begin < length; begin += size)
      tiles.push_back({offset, length, layout.host_contexts[e], begin});
  }
  std::stable_sort(tiles.begin(), tiles.end(),
                   [&](const Tile& a, const Tile& b) { return work(a) > work(b); });
  return tiles;
}

}  // namespace detail

/// Tiles of `size` rows: the work is the columns that they see.
inline std::vector<Tile> row_tiles(const PackedLayout& layout, int32_t size) {
  return detail::most_work_first(layout, size, [size](const Tile& tile) {
    return visible_columns(std::min(tile.begin + size, tile.length), tile.context);
  });
}

/// Tiles of `size` columns: the work is the rows that see them.
inline std::vector<Tile> column_tiles(const PackedLayout& layout, int32_t size) {
  return detail::most_work_first(layout, size, [](const Tile& tile) {
    return tile.length - first_visible_row(tile.begin, tile.context);
  });
}

}  // namespace glm::cuda::attention
