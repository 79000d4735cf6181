// Attention of a few new tokens against the caches of their sequences:
//
//   out[i] = Σ_j softmax_j(scale · q_i · K_j) V_j   over the cache rows j that token i sees,
//
// the first `shared` rows of its sequence and the rows that it names: its own, and those of the hypothesis it
// belongs to. q [N, 3, H, D] within qkv, cache [layers, H, capacity, 2, D], out [N, H, D], float32 or
// bfloat16; scores, softmax and sums in float32.
//
// Keys are split into chunks, so that one token alone keeps every thread busy: a piece of work is one head,
// up to 16 tokens of a sequence and a chunk of its keys, which are read once for all the tokens. It leaves
// the largest score, the sum of the exponentials and the weighted values; the pieces of a token are then
// joined in order (Dao et al., "Flash-Decoding", 2023). Work: 4 · D operations per key, head and token.
// Memory traffic: the rows of the cache that are seen, once.

#include "cpu/attention/rotary.h"
#include "cpu/element_type.h"
#include "cpu/kernels.h"
#include "cpu/vector_math.h"

namespace glm::GLM_ISA {
namespace {

constexpr int64_t kTileTokens = 16;
constexpr int64_t kChunk = 128;
constexpr int64_t kMostWidth = 256;
constexpr int64_t kRowsAhead = 12;  // of the cache, asked for before they are needed

/// Up to kTileTokens tokens of one sequence. Its pieces follow one another: one for each chunk of the shared
/// rows, the last of which does the rows that the tokens name, too.
struct Tile {
  int32_t sequence, first, tokens, chunks;
};

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

int32_t chunks_of(int32_t keys) {
  return keys <= kChunk ? 1 : static_cast<int32_t>((keys + kChunk - 1) / kChunk);
}

/// Where the parts of the workspace lie. There is room for the most tiles and chunks that the layout allows.
struct Workspace {
  int64_t tiles = 0, pieces = 0;  // that there are
  int64_t chunk_stride = 0;       // from one chunk's partial results, [N, H], to the next one's
  Tile* tile = nullptr;
  int32_t* tile_of_piece = nullptr;
  float* largest = nullptr;  // [partials]
  float* sum = nullptr;      // [partials]
  float* values = nullptr;   // [partials, D]

  /// Sets the pointers; returns the bytes.
  int64_t lay_out(const AttentionCached& p) {
    const CacheLayout& layout = p.layout;
    int64_t most_tiles = layout.sequences * ((layout.most_tokens + kTileTokens - 1) / kTileTokens);
    int64_t most_chunks = chunks_of(layout.most_keys), partials = most_chunks * layout.tokens * p.heads;
    chunk_stride = layout.tokens * p.heads;
    char* base = static_cast<char*>(p.workspace);
    int64_t end = 0;
    auto take = [&](int64_t bytes) {
      char* at = base + end;
      end += round_up(bytes, 64);
      return static_cast<void*>(at);
    };
    tile = static_cast<Tile*>(take(most_tiles * static_cast<int64_t>(sizeof(Tile))));
    tile_of_piece = static_cast<int32_t*>(take(most_tiles * most_chunks * 4));
    largest = static_cast<float*>(take(partials * 4));
    sum = static_cast<float*>(take(partials * 4));
    values = static_cast<float*>(take(partials * p.head_width * 4));
    return end;
  }

  void list_pieces(const CacheLayout& layout) {
    for (int32_t s = 0; s < layout.sequences; s++) {
      const CachedSequence& sequence = layout.sequence[s];
      for (int32_t done = 0; done < sequence.tokens; done += kTileTokens) {
        int32_t left = sequence.tokens - done, chunks = chunks_of(sequence.shared);
        for (int32_t c = 0; c < chunks; c++) tile_of_piece[pieces++] = static_cast<int32_t>(tiles);
        tile[tiles++] = {s, sequence.first + done,
                         left < kTileTokens ? left : static_cast<int32_t>(kTileTokens), chunks};
      }
    }
  }
};

/// One head of a sequence's cache.
template <class T>
struct HeadRows {
  const T* rows;  // [capacity, 2, D]
  int64_t width;
  const T* key(int64_t row) const { return rows + row * 2 * width; }
  const T* value(int64_t row) const { return rows + (row * 2 + 1) * width; }
  /// Asks for a key and its value, which are not neighbours of those that came before for the processor to
  /// guess.
  void fetch(int64_t row) const {
    const char* bytes = reinterpret_cast<const char*>(key(row));
    int64_t count = 2 * width * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < count; i += 64) __builtin_prefetch(bytes + i);
  }
};

template <class T>
float dot(const float* q, const T* k, int64_t width) {
  Floats total{};
  for (int64_t d = 0; d < width; d += kLanes) total += load(q + d) * load_upto(k + d, width - d);
  return sum(total);
}

/// Running softmax of one token over the keys that it has met, for one head.
struct Running {
  float largest = -__builtin_inff(), sum = 0;
  float* values;  // [D, rounded up to whole vectors]
};

/// Takes `count` keys in; `row_of(j)` is the cache row of the j-th. `scores` [count, rounded up] is
/// overwritten.
template <class T, class RowOf>
void take_keys(const HeadRows<T>& head, const float* q, float* scores, int64_t count, const RowOf& row_of,
               Running& running) {
  int64_t width = head.width;
  float largest_here = running.largest;
  for (int64_t j = 0; j < count; j++) {
    if (j + kRowsAhead < count) head.fetch(row_of(j + kRowsAhead));
    scores[j] = dot(q, head.key(row_of(j)), width);
    largest_here = scores[j] > largest_here ? scores[j] : largest_here;
  }
  for (int64_t j = count; j < round_up(count, kLanes); j++) scores[j] = -__builtin_inff();

  Floats total{};
  for (int64_t j = 0; j < count; j += kLanes) {
    Floats p = exp(load(scores + j) - broadcast(largest_here));
    store(scores + j, p);
    total += p;
  }
  float faded = running.sum == 0 ? 0 : __builtin_expf(running.largest - largest_here);
  running.largest = largest_here;
  running.sum = running.sum * faded + sum(total);

  constexpr int kVectors = 4;
  for (int64_t d = 0; d < width; d += kVectors * kLanes) {
    Floats acc[kVectors];
    for (int v = 0; v < kVectors; v++) acc[v] = load(running.values + d + v * kLanes) * broadcast(faded);
    int64_t left = width - d;
    if (left >= kVectors * kLanes) {
      for (int64_t j = 0; j < count; j++) {
        const T* value = head.value(row_of(j)) + d;
        for (int v = 0; v < kVectors; v++) acc[v] += broadcast(scores[j]) * load(value + v * kLanes);
      }
    } else {
      for (int64_t j = 0; j < count; j++) {
        const T* value = head.value(row_of(j)) + d;
        for (int v = 0; v * kLanes < left; v++) {
          acc[v] += broadcast(scores[j]) * load_upto(value + v * kLanes, left - v * kLanes);
        }
      }
    }
    for (int v = 0; v < kVectors; v++) store(running.values + d + v * kLanes, acc[v]);
  }
}

/// The query of a token's head, turned and scaled, with zeros up to whole vectors.
template <class T>
void load_query(const AttentionCached& p, int64_t token, int64_t head, float* q) {
  int64_t width = p.head_width;
  const T* x = static_cast<const T*>(p.qkv) + (token * 3 * p.heads + head) * width;
  attention::Rotary rotary = attention::rotary_of(p);
  if (rotary.table != nullptr) {
    attention::rotate<true>(rotary, token, width, x, q);
  } else {
    for (int64_t d = 0; d < width; d++) q[d] = to_float(x[d]);
  }
  for (int64_t d = 0; d < width; d++) q[d] *= p.scale;
  for (int64_t d = width; d < round_up(width, kLanes); d++) q[d] = 0;
}

/// One chunk of keys for the tokens of a tile and one head.
template <class T>
void attend(const AttentionCached& p, const Workspace& w, const Tile& tile, int32_t chunk, int64_t head) {
  constexpr int64_t kPadded = kMostWidth + 3 * kLanes;  // take_keys works on four vectors at a time
  alignas(64) float q[kMostWidth + kLanes], values[kPadded], scores[kChunk];
  const CachedSequence& sequence = p.layout.sequence[tile.sequence];
  int64_t width = p.head_width;
  HeadRows<T> rows{static_cast<const T*>(sequence.cache) +
                       (p.layer * int64_t{p.heads} + head) * sequence.capacity * 2 * width,
                   width};
  int64_t begin = chunk * kChunk;
  int64_t count = sequence.shared - begin < kChunk ? sequence.shared - begin : kChunk;
  for (int32_t i = 0; i < tile.tokens; i++) {
    int64_t token = tile.first + i;
    load_query<T>(p, token, head, q);
    for (int64_t d = 0; d < kPadded; d++) values[d] = 0;
    Running running{.values = values};
    if (count > 0) {
      take_keys(
          rows, q, scores, count, [begin](int64_t j) { return begin + j; }, running);
    }
    if (chunk == tile.chunks - 1) {
      const int32_t* seen = p.layout.seen + p.layout.seen_offsets[token];
      int64_t many = p.layout.seen_offsets[token + 1] - p.layout.seen_offsets[token];
      for (int64_t done = 0; done < many; done += kChunk) {
        int64_t some = many - done < kChunk ? many - done : kChunk;
        take_keys(
            rows, q, scores, some, [list = seen + done](int64_t j) { return int64_t{list[j]}; }, running);
      }
    }
    int64_t partial = chunk * w.chunk_stride + token * p.heads + head;
    w.largest[partial] = running.largest;
    w.sum[partial] = running.sum;
    std::memcpy(w.values + partial * width, values, static_cast<size_t>(width) * 4);
  }
}

/// Joins what the chunks left for one token and head.
template <class T>
void join(const AttentionCached& p, const Workspace& w, const Tile& tile, int32_t i, int64_t head) {
  alignas(64) float out[kMostWidth + kLanes];
  int64_t width = p.head_width, first = (int64_t{tile.first} + i) * p.heads + head;
  float largest = -__builtin_inff(), total = 0;
  for (int32_t c = 0; c < tile.chunks; c++) {
    float here = w.largest[first + c * w.chunk_stride];
    largest = here > largest ? here : largest;
  }
  for (int64_t d = 0; d < width; d++) out[d] = 0;
  for (int32_t c = 0; c < tile.chunks; c++) {
    int64_t partial = first + c * w.chunk_stride;
    float weight = tile.chunks == 1 ? 1.0f : __builtin_expf(w.largest[partial] - largest);
    total += weight * w.sum[partial];
    for (int64_t d = 0; d < width; d++) out[d] += weight * w.values[partial * width + d];
  }
  T* result = static_cast<T*>(p.out) + first * width;
  for (int64_t d = 0; d < width; d += kLanes)
    store_upto(result + d, load(out + d) / broadcast(total), width - d);
}

template <class T>
void run_all(const Parallel& parallel, const AttentionCached& p) {
  Workspace w;
  w.lay_out(p);
  w.list_pieces(p.layout);
  parallel.parts(w.pieces * p.heads, [&](int64_t part) {
    int64_t piece = part / p.heads, head = part % p.heads;
    int64_t tile = w.tile_of_piece[piece];
    int64_t first = piece;
    while (first > 0 && w.tile_of_piece[first - 1] == tile) first--;
    attend<T>(p, w, w.tile[tile], static_cast<int32_t>(piece - first), head);
  });
  parallel.ranges(w.tiles * p.heads, 16, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; part++) {
      const Tile& tile = w.tile[part / p.heads];
      for (int32_t i = 0; i < tile.tokens; i++) join<T>(p, w, tile, i, part % p.heads);
    }
  });
}

}  // namespace

size_t CpuKernels::workspace_bytes(const AttentionCached& p) const {
  return static_cast<size_t>(Workspace().lay_out(p));
}

void CpuKernels::run(const AttentionCached& p) {
  with_element_type(p.dtype, [&](auto zero) { run_all<decltype(zero)>(parallel_, p); });
}

}  // namespace glm::GLM_ISA
