#pragma once

// Which thread does what. A piece of work is a range of rows (or columns) of one head of one example; pieces
// are handed out one by one, longest first within a head. Each thread keeps one slot of scratch. Results
// don't depend on how the work is cut, because every piece starts at a tile.

#include "backend/params.h"
#include "cpu/attention/units.h"
#include "runtime/thread_pool.h"

namespace glm::GLM_ISA::attention {

/// Cuts one block of memory into arrays that start on cache lines. Without memory it only counts.
class Carver {
 public:
  explicit Carver(void* memory) : at_(memory ? round_up(reinterpret_cast<int64_t>(memory), 64) : 0) {}

  template <class T>
  T* take(int64_t count) {
    int64_t start = at_;
    at_ += round_up(count * static_cast<int64_t>(sizeof(T)), 64);
    return reinterpret_cast<T*>(start);
  }
  /// Counted from address zero.
  int64_t bytes() const { return at_; }

 private:
  int64_t at_;
};

struct Piece {
  int32_t example = 0;
  int64_t head = 0;
  int64_t begin = 0, end = 0;  // tokens of the example
};

/// All pieces of at most `grain` tokens, in order of example, head and descending begin.
class Pieces {
 public:
  Pieces(const PackedLayout& layout, int64_t heads, int64_t grain)
      : layout_(layout), heads_(heads), grain_(grain) {
    for (int32_t e = 0; e < layout.examples; e++) count_ += heads * cuts(e);
  }

  int64_t count() const { return count_; }

  Piece operator[](int64_t index) const {
    Piece piece;
    while (index >= heads_ * cuts(piece.example)) index -= heads_ * cuts(piece.example++);
    int64_t many = cuts(piece.example);
    piece.head = index / many;
    piece.begin = (many - 1 - index % many) * grain_;
    piece.end = smaller(piece.begin + grain_, length(piece.example));
    return piece;
  }

 private:
  int64_t length(int32_t e) const { return layout_.host_offsets[e + 1] - layout_.host_offsets[e]; }
  int64_t cuts(int32_t e) const { return (length(e) + grain_ - 1) / grain_; }

  const PackedLayout& layout_;
  int64_t heads_, grain_, count_ = 0;
};

/// A piece length that gives each thread several pieces, as far as there are tiles.
inline int64_t piece_length(const PackedLayout& layout, int64_t heads, int threads, int64_t tile) {
  constexpr int64_t kPiecesPerThread = 8;
  int64_t longest = larger(layout.longest, 1);
  int64_t wanted = larger(layout.tokens * heads / (threads * kPiecesPerThread), 1);
  int64_t cuts = threads == 1 ? 1 : (longest + wanted - 1) / wanted;
  return round_up((longest + cuts - 1) / cuts, tile);
}

/// work(slot, index) for each index below `count`; a slot is used by one thread at a time.
template <class Work>
void share_out(const Parallel& parallel, int64_t count, const Work& work) {
  int64_t next = 0;
  parallel.parts(smaller(parallel.threads(), count), [&](int64_t slot) {
    for (;;) {
      int64_t index = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
      if (index >= count) return;
      work(slot, index);
    }
  });
}

}  // namespace glm::GLM_ISA::attention
