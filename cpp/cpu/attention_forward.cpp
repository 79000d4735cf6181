// Attention, forward: per example and head, with T tokens of which the first `context` are Part A,
//
//   S = scale · Q Kᵀ [T, T],  P = softmax of S over the columns the GLM mask shows,  O = dropout(P) V [T, D],
//   log-sum-exp of each row [T], for the backward.
//
// Q and K are rotated on the way in where positions are rotary. Nothing of size T × T is stored: tiles of 64
// rows go over tiles of 64 columns with a running maximum and sum (Milakov & Gimelshein 2018; Dao et al.,
// "FlashAttention", 2022). Tiles that the mask empties are skipped, full ones know no mask, those on the
// border are cut into 32 rows.
//
// Types: qkv and O float32 or bfloat16; sums, softmax and statistics float32; products of bfloat16 operands
// where the processor has them (P is then rounded to bfloat16), else float32.
//
// Work: 4 · D operations and one exponential per visible pair.
//
// Memory: K and V are copied into dense arrays once per head (2 · T · D), which then stream from the
// second-level cache once per 64 rows.
//
// Scores are kept transposed, rows along the lanes: see product.h for why no tile has to be turned.

#include "cpu/attention/dropout.h"
#include "cpu/attention/pack.h"
#include "cpu/attention/product.h"
#include "cpu/attention/schedule.h"
#include "cpu/attention/softmax.h"
#include "cpu/kernels.h"
#include "cpu/vector_math.h"

namespace glm::GLM_ISA {
namespace attention {
namespace {

constexpr int kTileRows = 64, kTileColumns = 64;
using RunningSoftmax = OnlineSoftmax<kTileRows>;

/// One thread's memory.
template <class T>
struct ForwardScratch {
  using Element = typename Operand<T>::Element;
  using Unit = typename Operand<T>::Unit;

  ForwardScratch(Carver& carver, int64_t longest, int64_t stride) {
    int64_t tokens = round_up(longest, kTileColumns);
    keys = carver.take<Element>(tokens * stride);
    values = carver.take<Unit>(tokens / kDepth<Unit> * stride);
    rows = carver.take<Element>(kTileRows * stride);
    queries = carver.take<Unit>(stride / kDepth<Unit> * kTileRows);
    scores = carver.take<float>(kTileColumns * kTileRows);
    out = carver.take<float>(stride * kTileRows);
    out_rows = carver.take<float>(kTileRows * stride);
  }

  Element* keys;    // [T][stride]
  Unit* values;     // [T / depth][stride]
  Element* rows;    // [64][stride], on the way to where they are needed
  Unit* queries;    // [stride / depth][64]
  float* scores;    // [64][64], columns by rows; then probabilities, as units
  float* out;       // [D][64]
  float* out_rows;  // [64][stride]
};

/// Turns scores of rows [row + first, row + first + rows) into unnormalised probabilities, in place, as units
/// along the columns. `scores` and `state` are those of the tile that starts at `row`.
template <class Unit, bool kBorder, bool kDropout>
void softmax_tile(float* scores, int64_t columns, int64_t row, int64_t first, int64_t rows, int64_t column,
                  int64_t context, float scale, const HeadDropout& dropout, RunningSoftmax& state) {
  constexpr int64_t kStride = kTileRows;
  for (int64_t group = first; group < first + rows; group += kGroupRows) {
    float* tile = scores + group;
    Floats top[kGroupVectors];
    for (int v = 0; v < kGroupVectors; v++) top[v] = broadcast(-__builtin_inff());
    for (int64_t c = 0; c < columns; c++) {
      for (int v = 0; v < kGroupVectors; v++) {
        float* at = tile + c * kStride + v * kLanes;
        Floats s = load(at);
        if constexpr (kBorder) {
          s = sees(row_numbers(row + group + v * kLanes), column + c, context) ? s
                                                                               : broadcast(-__builtin_inff());
          store(at, s);
        }
        top[v] = max(s, top[v]);
      }
    }
    Floats maximum[kGroupVectors], sum[kGroupVectors];
    for (int v = 0; v < kGroupVectors; v++) {
      int64_t at = group + v * kLanes;
      Floats before = load(state.maximum + at);
      maximum[v] = max(top[v] * scale, before);
      Floats rescale = exp_nonpositive<float>(before - maximum[v]);
      sum[v] = load(state.sum + at) * rescale;
      store(state.maximum + at, maximum[v]);
      store(state.rescale + at, rescale);
    }
    for (int64_t c = 0; c < columns; c += kColumnsAtOnce) {
      Floats p[kColumnsAtOnce][kGroupVectors] = {};
      DropoutRows kept[kColumnsAtOnce];
      if constexpr (kDropout) dropout.draw(row + group, column + c, kept);
      for (int k = 0; k < kColumnsAtOnce; k++) {
        if (c + k == columns) break;
        for (int v = 0; v < kGroupVectors; v++) {
          p[k][v] = exp_nonpositive<Unit>(load(tile + (c + k) * kStride + v * kLanes) * scale - maximum[v]);
          sum[v] += p[k][v];
          if constexpr (kDropout) p[k][v] *= kept[k].factor[v];
        }
      }
      for (int v = 0; v < kGroupVectors; v++) {
        float* at = tile + c / kDepth<Unit> * kStride + v * kLanes;
        if constexpr (kDepth<Unit> == 1) {
          for (int k = 0; k < kColumnsAtOnce; k++) store(at + k * kStride, p[k][v]);
        } else {
          store_pairs(reinterpret_cast<Unit*>(at), p[0][v], p[1][v]);
        }
      }
    }
    for (int v = 0; v < kGroupVectors; v++) store(state.sum + group + v * kLanes, sum[v]);
  }
}

/// One head of one example.
template <class T>
class HeadForward {
  using Element = typename Operand<T>::Element;
  using Unit = typename Operand<T>::Unit;

 public:
  HeadForward(const AttentionForward& p, int32_t example, int64_t head, const ForwardScratch<T>& scratch)
      : p_(p),
        scratch_(scratch),
        head_(head),
        offset_(p.layout.host_offsets[example]),
        length_(p.layout.host_offsets[example + 1] - offset_),
        context_(p.layout.host_contexts[example]),
        width_(p.head_width),
        stride_(packed_stride<T>(width_)),
        token_stride_(int64_t{3} * p.heads * p.head_width),
        rotary_(rotary_of(p)),
        dropout_(p.dropout, head, p.layout.tokens, offset_) {}

  void pack_keys_and_values() const {
    pack_rows(qkv(1, 0), token_stride_, length_, width_, rotary_, offset_, scratch_.keys, stride_);
    for (int64_t t = 0; t < length_; t += kTileRows) {
      int64_t rows = smaller(kTileRows, length_ - t);
      if constexpr (kDepth<Unit> == 1) {
        pack_rows(qkv(2, t), token_stride_, rows, width_, Rotary{}, 0, scratch_.values + t * stride_,
                  stride_);
      } else {
        pack_rows(qkv(2, t), token_stride_, rows, width_, Rotary{}, 0, scratch_.rows, stride_);
        pair_rows(scratch_.rows, rows, stride_, scratch_.values + t / kDepth<Unit> * stride_);
      }
    }
  }

  /// Rows [row, row + rows) of O; `row` is a multiple of the tile.
  void row_tile(int64_t row, int64_t rows) const {
    int64_t grouped = round_up(rows, kGroupRows);
    pack_queries(row, rows, grouped);
    RunningSoftmax state;
    state.start();
    zero_rows(scratch_.out, width_, kTileRows);
    int64_t end = smaller(visible_columns(row + rows, context_), length_);
    for (int64_t column = 0; column < end; column += kTileColumns) {
      int64_t columns = smaller(kTileColumns, end - column);
      if (tile_is_full(row, column + columns, context_)) {
        part<false>(row, 0, grouped, column, columns, state);
        continue;
      }
      // On the border each group of rows has its own last column.
      for (int64_t first = 0; first < rows; first += kGroupRows) {
        int64_t seen = visible_columns(row + smaller(first + kGroupRows, rows), context_) - column;
        if (seen > 0) part<true>(row, first, kGroupRows, column, smaller(seen, columns), state);
      }
    }
    write(row, rows, grouped / kLanes, state);
  }

 private:
  /// Rows [first, first + rows) of the tile at `row` meet columns [column, column + columns).
  template <bool kBorder>
  void part(int64_t row, int64_t first, int64_t rows, int64_t column, int64_t columns,
            RunningSoftmax& state) const {
    float* scores = scratch_.scores + first;
    int64_t vectors = rows / kLanes, unit_stride = stride_ / kDepth<Unit>;
    multiply<true, From::kZero>(Product<Unit>{scratch_.queries + first, kTileRows,
                                              key_units() + column * unit_stride, unit_stride, scores,
                                              kTileRows, vectors, columns, depth_units()});
    auto softmax = dropout_.active() ? softmax_tile<Unit, kBorder, true> : softmax_tile<Unit, kBorder, false>;
    softmax(scratch_.scores, columns, row, first, rows, column, context_, p_.scale, dropout_, state);
    multiply<false, From::kRescaled>(Product<Unit>{
        reinterpret_cast<const Unit*>(scores), kTileRows, scratch_.values + column / kDepth<Unit> * stride_,
        stride_, scratch_.out + first, kTileRows, vectors, width_,
        (columns + kDepth<Unit> - 1) / kDepth<Unit>, state.rescale + first});
  }

  const T* qkv(int64_t which, int64_t token) const {
    return static_cast<const T*>(p_.qkv) + (offset_ + token) * token_stride_ +
           (which * p_.heads + head_) * width_;
  }
  int64_t depth_units() const { return (width_ + kDepth<Unit> - 1) / kDepth<Unit>; }
  const Unit* key_units() const { return reinterpret_cast<const Unit*>(scratch_.keys); }

  void pack_queries(int64_t row, int64_t rows, int64_t grouped) const {
    pack_rows(qkv(0, row), token_stride_, rows, width_, rotary_, offset_ + row, scratch_.rows, stride_);
    zero_rows(scratch_.rows + rows * stride_, grouped - rows, stride_);
    transpose_words(scratch_.rows, stride_ / kDepth<Unit>, grouped, depth_units(), scratch_.queries,
                    kTileRows);
  }

  /// O = out / sum, turned back to rows.
  void write(int64_t row, int64_t rows, int64_t vectors, const RunningSoftmax& state) const {
    for (int64_t v = 0; v < vectors * kLanes; v += kLanes) {
      Floats inverse = 1.0f / load(state.sum + v);
      for (int64_t d = 0; d < width_; d++) {
        float* at = scratch_.out + d * kTileRows + v;
        store(at, load(at) * inverse);
      }
    }
    transpose_words(scratch_.out, kTileRows, width_, rows, scratch_.out_rows, stride_);
    T* out = static_cast<T*>(p_.out) + ((offset_ + row) * p_.heads + head_) * width_;
    for (int64_t r = 0; r < rows; r++) {
      convert_row(scratch_.out_rows + r * stride_, width_, out + r * p_.heads * width_);
    }
    if (!p_.log_sum_exp) return;
    float natural[kTileRows];
    for (int64_t v = 0; v < vectors * kLanes; v += kLanes) {
      store(natural + v, load(state.maximum + v) + log(load(state.sum + v)));
    }
    std::memcpy(p_.log_sum_exp + head_ * p_.layout.tokens + offset_ + row, natural,
                static_cast<size_t>(rows) * sizeof(float));
  }

  const AttentionForward& p_;
  const ForwardScratch<T>& scratch_;
  int64_t head_, offset_, length_, context_, width_, stride_, token_stride_;
  Rotary rotary_;
  HeadDropout dropout_;
};

template <class T>
int64_t scratch_bytes(const AttentionForward& p) {
  Carver counter(nullptr);
  ForwardScratch<T>(counter, p.layout.longest, packed_stride<T>(p.head_width));
  return counter.bytes();
}

template <class T>
void attend(const Parallel& parallel, const AttentionForward& p) {
  Pieces pieces(p.layout, p.heads, piece_length(p.layout, p.heads, parallel.threads(), kTileRows));
  int64_t slot_bytes = scratch_bytes<T>(p), slots = parallel.threads();
  Carver carver(p.workspace);
  int64_t* packed = carver.take<int64_t>(slots);  // the head that a slot holds the keys and values of
  char* memory = carver.take<char>(slots * slot_bytes);
  for (int64_t s = 0; s < slots; s++) packed[s] = -1;
  share_out(parallel, pieces.count(), [&](int64_t slot, int64_t index) {
    Piece piece = pieces[index];
    Carver slot_carver(memory + slot * slot_bytes);
    ForwardScratch<T> scratch(slot_carver, p.layout.longest, packed_stride<T>(p.head_width));
    HeadForward<T> head(p, piece.example, piece.head, scratch);
    int64_t name = piece.example * int64_t{p.heads} + piece.head;
    if (packed[slot] != name) head.pack_keys_and_values();
    packed[slot] = name;
    for (int64_t row = piece.begin; row < piece.end; row += kTileRows) {
      head.row_tile(row, smaller(kTileRows, piece.end - row));
    }
  });
}

}  // namespace
}  // namespace attention

void CpuKernels::run(const AttentionForward& p) {
  if (p.dtype == DType::kBFloat16) {
    attention::attend<bfloat16>(parallel_, p);
  } else {
    attention::attend<float>(parallel_, p);
  }
}

size_t CpuKernels::workspace_bytes(const AttentionForward& p) const {
  int64_t slot = p.dtype == DType::kBFloat16 ? attention::scratch_bytes<bfloat16>(p)
                                             : attention::scratch_bytes<float>(p);
  return static_cast<size_t>(128 + parallel_.threads() * (slot + 8));
}

}  // namespace glm::GLM_ISA
