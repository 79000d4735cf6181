// Attention, backward: per example and head, with S, P and O of the forward recomputed tile by tile from the
// log-sum-exp L of each row, Z the dropout factors (0 or 1 / (1 - p)) and everything masked by the GLM rule,
//
//   P = exp(S - L),  dV = (P∘Z)ᵀ dO,  dP = (dO Vᵀ)∘Z,  delta = rowsum(dO∘O),  dS = P∘(dP - delta),
//   dQ = scale · dS K,  dK = scale · dSᵀ Q             all [T, D] but P, Z, dP and dS [T, T] and L, delta [T]
//
// With rotary positions dQ and dK are those of the rotated Q and K, turned back on the way out.
//
// Types: qkv, O and the gradients float32 or bfloat16; sums and statistics float32; products of bfloat16
// operands where the processor has them (P and dS are then rounded to bfloat16), else float32.
//
// Work: 10 · D operations and one exponential per visible pair, in one pass over tiles of 64 rows and
// columns. Where a batch has too few heads for the threads, dQ and (dK, dV) are separate pieces of work, 14 ·
// D.
//
// Memory: dQ of a row tile stays in the cache; dK and dV of the head are float32 sums of T · D in scratch
// (Dao et al., "FlashAttention", 2022, algorithm 4, with the loops exchanged). Each sum adds its terms in the
// same order however the work is cut: row tiles ascending for dK and dV, column tiles ascending for dQ.

#include "cpu/attention/dropout.h"
#include "cpu/attention/pack.h"
#include "cpu/attention/product.h"
#include "cpu/attention/schedule.h"
#include "cpu/attention/softmax.h"
#include "cpu/kernels.h"

namespace glm::GLM_ISA {
namespace attention {
namespace {

constexpr int kTileRows = 64, kTileColumns = 64;

/// Rows of one operand in the forms that products want. In float32 `pairs` is the rows themselves.
template <class T>
struct OperandRows {
  using Element = typename Operand<T>::Element;
  using Unit = typename Operand<T>::Unit;

  OperandRows(Carver& carver, int64_t count, int64_t row_stride) : stride(row_stride) {
    rows = carver.take<Element>(count * stride);
    pairs =
        kDepth<Unit> == 1 ? reinterpret_cast<Unit*>(rows) : carver.take<Unit>(count / kDepth<Unit> * stride);
  }

  /// Units along the width.
  const Unit* units(int64_t row) const { return reinterpret_cast<const Unit*>(rows + row * stride); }
  /// Units along the rows; `row` is even.
  const Unit* units_of_rows(int64_t row) const { return pairs + row / kDepth<Unit> * stride; }

  void pair(int64_t count) const {
    if constexpr (kDepth<Unit> == 2) pair_rows(rows, count, stride, pairs);
  }

  int64_t stride;
  Element* rows;  // [count][stride]
  Unit* pairs;    // [count / depth][stride]
};

/// One thread's memory.
template <class T>
struct BackwardScratch {
  using Element = typename Operand<T>::Element;
  using Unit = typename Operand<T>::Unit;

  BackwardScratch(Carver& carver, int64_t longest, int64_t stride)
      : keys(carver, round_up(longest, kTileColumns), stride),
        values(carver.take<Element>(round_up(longest, kTileColumns) * stride)),
        queries(carver, kTileRows, stride),
        grad_out(carver, kTileRows, stride) {
    int64_t tokens = round_up(longest, kTileColumns);
    grad_keys = carver.take<float>(tokens * stride);
    grad_values = carver.take<float>(tokens * stride);
    queries_transposed = carver.take<Unit>(stride / kDepth<Unit> * kTileRows);
    grad_out_transposed = carver.take<Unit>(stride / kDepth<Unit> * kTileRows);
    out_rows = carver.take<Element>(kTileRows * stride);
    out_transposed = carver.take<Unit>(stride / kDepth<Unit> * kTileRows);
    scores = carver.take<float>(kTileColumns * kTileRows);
    grad_scores = carver.take<float>(kTileColumns * kTileRows);
    if constexpr (kDepth<Unit> == 2) {
      probability_rows = carver.take<Element>(kTileColumns * kTileRows);
      grad_score_rows = carver.take<Element>(kTileColumns * kTileRows);
    } else {
      probability_rows = scores;
      grad_score_rows = grad_scores;
    }
    grad_queries = carver.take<float>(stride * kTileRows);
    grad_query_rows = carver.take<float>(kTileRows * stride);
  }

  OperandRows<T> keys;        // [T]
  Element* values;            // [T][stride]
  OperandRows<T> queries;     // [64]
  OperandRows<T> grad_out;    // [64]
  float* grad_keys;           // [T][stride]
  float* grad_values;         // [T][stride]
  Unit* queries_transposed;   // [stride / depth][64]
  Unit* grad_out_transposed;  // [stride / depth][64]
  Element* out_rows;          // [64][stride]
  Unit* out_transposed;       // [stride / depth][64]
  float* scores;              // [64][64], columns by rows: S
  float* grad_scores;         // [64][64]: dO Vᵀ, then dS as units along the columns
  Element* probability_rows;  // [64][64]: P∘Z, as units along the rows
  Element* grad_score_rows;   // [64][64]: dS, as units along the rows
  float* grad_queries;        // [D][64]
  float* grad_query_rows;     // [64][stride]
};

/// L and delta of one tile's rows; L is zero behind them, which keeps their probabilities finite.
struct RowStatistics {
  float log_sum_exp[kTileRows];
  float delta[kTileRows];
};

/// From S and dO Vᵀ to P∘Z and dS, for rows [row + first, row + first + rows) of the tile that starts at
/// `row`.
template <class T, bool kBorder, bool kDropout>
void score_gradients(const BackwardScratch<T>& scratch, int64_t columns, int64_t row, int64_t first,
                     int64_t rows, int64_t column, int64_t context, float scale, const HeadDropout& dropout,
                     const RowStatistics& statistics) {
  using Unit = typename Operand<T>::Unit;
  constexpr int64_t kStride = kTileRows;
  for (int64_t group = first; group < first + rows; group += kGroupRows) {
    Floats log_sum_exp[kGroupVectors], delta[kGroupVectors];
    for (int v = 0; v < kGroupVectors; v++) {
      log_sum_exp[v] = load(statistics.log_sum_exp + group + v * kLanes);
      delta[v] = load(statistics.delta + group + v * kLanes);
    }
    for (int64_t c = 0; c < columns; c += kColumnsAtOnce) {
      Floats p[kColumnsAtOnce][kGroupVectors] = {}, ds[kColumnsAtOnce][kGroupVectors] = {};
      DropoutRows kept[kColumnsAtOnce];
      if constexpr (kDropout) dropout.draw(row + group, column + c, kept);
      for (int k = 0; k < kColumnsAtOnce; k++) {
        if (c + k == columns) break;
        for (int v = 0; v < kGroupVectors; v++) {
          int64_t at = (c + k) * kStride + group + v * kLanes;
          Floats probability = exp_nonpositive<Unit>(load(scratch.scores + at) * scale - log_sum_exp[v]);
          if constexpr (kBorder) {
            Ints visible = sees(row_numbers(row + group + v * kLanes), column + c + k, context);
            probability = visible ? probability : Floats{};
          }
          Floats dp = load(scratch.grad_scores + at);
          if constexpr (kDropout) dp *= kept[k].factor[v];
          ds[k][v] = probability * (dp - delta[v]);
          p[k][v] = kDropout ? probability * kept[k].factor[v] : probability;
        }
      }
      for (int v = 0; v < kGroupVectors; v++) {
        int64_t along = group + v * kLanes;
        for (int k = 0; k < kColumnsAtOnce; k++) {
          store_elements(scratch.probability_rows + (c + k) * kStride + along, p[k][v]);
          store_elements(scratch.grad_score_rows + (c + k) * kStride + along, ds[k][v]);
        }
        if constexpr (kDepth<Unit> == 2) {
          float* lanes = scratch.grad_scores + c / kDepth<Unit> * kStride + along;
          store_pairs(reinterpret_cast<Unit*>(lanes), ds[0][v], ds[1][v]);
        }
      }
    }
  }
}

/// One head of one example.
template <class T>
class HeadBackward {
  using Element = typename Operand<T>::Element;
  using Unit = typename Operand<T>::Unit;

 public:
  HeadBackward(const AttentionBackward& p, int32_t example, int64_t head, const BackwardScratch<T>& scratch)
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

  int64_t length() const { return length_; }

  /// Keys and values of columns [begin, end) into scratch.
  void pack_columns(int64_t begin, int64_t end) const {
    const T* qkv = static_cast<const T*>(p_.qkv) + at(begin, 0);
    pack_rows(qkv + p_.heads * width_, token_stride_, end - begin, width_, rotary_, offset_ + begin,
              scratch_.keys.rows + begin * stride_, stride_);
    pack_rows(qkv + 2 * p_.heads * width_, token_stride_, end - begin, width_, Rotary{}, 0,
              scratch_.values + begin * stride_, stride_);
    scratch_.keys.pair(end);
  }

  /// Gradients of columns [begin, end) with respect to K and V from all rows and, with `queries`, of all rows
  /// with respect to Q (the columns are then all columns).
  void columns(int64_t begin, int64_t end, bool queries) const {
    zero_rows(scratch_.grad_keys + begin * stride_, end - begin, stride_);
    zero_rows(scratch_.grad_values + begin * stride_, end - begin, stride_);
    for (int64_t row = 0; row < length_; row += kTileRows) row_tile<true>(row, begin, end, queries);
    write_columns(begin, end);
  }

  /// Gradients of rows [begin, end) with respect to Q.
  void rows(int64_t begin, int64_t end) const {
    for (int64_t row = begin; row < end; row += kTileRows) row_tile<false>(row, 0, length_, true);
  }

 private:
  int64_t at(int64_t token, int64_t which) const {
    return (offset_ + token) * token_stride_ + (which * p_.heads + head_) * width_;
  }
  int64_t depth_units() const { return (width_ + kDepth<Unit> - 1) / kDepth<Unit>; }

  template <bool kColumns>
  void row_tile(int64_t row, int64_t column_begin, int64_t column_end, bool queries) const {
    int64_t rows = smaller(kTileRows, length_ - row);
    column_end = smaller(visible_columns(row + rows, context_), column_end);
    if (column_end <= column_begin) return;
    RowStatistics statistics;
    pack_rows_of_tile(row, rows, statistics);
    if (queries) zero_rows(scratch_.grad_queries, width_, kTileRows);
    for (int64_t column = column_begin; column < column_end; column += kTileColumns) {
      int64_t columns = smaller(kTileColumns, column_end - column);
      if (tile_is_full(row, column + columns, context_)) {
        part<kColumns, false>(row, 0, rows, column, columns, queries, statistics);
        continue;
      }
      // On the border each group of rows has its own last column.
      for (int64_t first = 0; first < rows; first += kGroupRows) {
        int64_t end = smaller(first + kGroupRows, rows), seen = visible_columns(row + end, context_) - column;
        if (seen <= 0) continue;
        part<kColumns, true>(row, first, end - first, column, smaller(seen, columns), queries, statistics);
      }
    }
    if (queries) write_queries(row, rows);
  }

  /// Rows [first, first + rows) of the tile at `row` meet columns [column, column + columns).
  template <bool kColumns, bool kBorder>
  void part(int64_t row, int64_t first, int64_t rows, int64_t column, int64_t columns, bool queries,
            const RowStatistics& statistics) const {
    int64_t vectors = round_up(rows, kGroupRows) / kLanes, width_vectors = (width_ + kLanes - 1) / kLanes;
    int64_t unit_stride = stride_ / kDepth<Unit>, first_unit = first / kDepth<Unit>;
    float* scores = scratch_.scores + first;
    float* grad_scores = scratch_.grad_scores + first;
    multiply<true, From::kZero>(Product<Unit>{scratch_.queries_transposed + first, kTileRows,
                                              scratch_.keys.units(column), unit_stride, scores, kTileRows,
                                              vectors, columns, depth_units()});
    multiply<true, From::kZero>(
        Product<Unit>{scratch_.grad_out_transposed + first, kTileRows,
                      reinterpret_cast<const Unit*>(scratch_.values + column * stride_), unit_stride,
                      grad_scores, kTileRows, vectors, columns, depth_units()});
    auto gradients =
        dropout_.active() ? score_gradients<T, kBorder, true> : score_gradients<T, kBorder, false>;
    gradients(scratch_, columns, row, first, rows, column, context_, p_.scale, dropout_, statistics);
    if constexpr (kColumns) {
      int64_t depth = (rows + kDepth<Unit> - 1) / kDepth<Unit>, tile_units = kTileRows / kDepth<Unit>;
      multiply<true, From::kSum>(
          Product<Unit>{scratch_.grad_out.units_of_rows(first), stride_,
                        reinterpret_cast<const Unit*>(scratch_.probability_rows) + first_unit, tile_units,
                        scratch_.grad_values + column * stride_, stride_, width_vectors, columns, depth});
      multiply<true, From::kSum>(
          Product<Unit>{scratch_.queries.units_of_rows(first), stride_,
                        reinterpret_cast<const Unit*>(scratch_.grad_score_rows) + first_unit, tile_units,
                        scratch_.grad_keys + column * stride_, stride_, width_vectors, columns, depth});
    }
    if (queries) {
      multiply<false, From::kSum>(Product<Unit>{reinterpret_cast<const Unit*>(grad_scores), kTileRows,
                                                scratch_.keys.units_of_rows(column), stride_,
                                                scratch_.grad_queries + first, kTileRows, vectors, width_,
                                                (columns + kDepth<Unit> - 1) / kDepth<Unit>});
    }
  }

  /// Q and dO in all their forms, L and delta.
  void pack_rows_of_tile(int64_t row, int64_t rows, RowStatistics& statistics) const {
    int64_t grouped = round_up(rows, kGroupRows), out_stride = p_.heads * width_;
    int64_t out_at = (offset_ + row) * out_stride + head_ * width_;
    pack_rows(static_cast<const T*>(p_.qkv) + at(row, 0), token_stride_, rows, width_, rotary_, offset_ + row,
              scratch_.queries.rows, stride_);
    transpose(scratch_.queries.rows, rows, grouped, scratch_.queries_transposed);
    scratch_.queries.pair(grouped);
    pack_rows(static_cast<const T*>(p_.grad_out) + out_at, out_stride, rows, width_, Rotary{}, 0,
              scratch_.grad_out.rows, stride_);
    transpose(scratch_.grad_out.rows, rows, grouped, scratch_.grad_out_transposed);
    scratch_.grad_out.pair(grouped);
    pack_rows(static_cast<const T*>(p_.out) + out_at, out_stride, rows, width_, Rotary{}, 0,
              scratch_.out_rows, stride_);
    transpose(scratch_.out_rows, rows, grouped, scratch_.out_transposed);

    std::memset(statistics.log_sum_exp, 0, sizeof statistics.log_sum_exp);
    std::memcpy(statistics.log_sum_exp, p_.log_sum_exp + head_ * p_.layout.tokens + offset_ + row,
                static_cast<size_t>(rows) * sizeof(float));
    for (int64_t r = 0; r < grouped; r += kLanes) store(statistics.delta + r, delta(r));
  }

  void transpose(Element* x, int64_t rows, int64_t grouped, Unit* out) const {
    zero_rows(x + rows * stride_, grouped - rows, stride_);
    transpose_words(x, stride_ / kDepth<Unit>, grouped, depth_units(), out, kTileRows);
  }

  /// Rows [r, r + kLanes) of delta, added up as the products add up dO Vᵀ: where a row sees little but one
  /// column, both are nearly the same sum, and rounding must not keep them apart.
  Floats delta(int64_t r) const {
    Floats sum = {};
    for (int64_t k = 0; k < depth_units(); k++) {
      int64_t at = k * kTileRows + r;
      sum = multiply_add(sum, load_units(scratch_.grad_out_transposed + at),
                         load_units(scratch_.out_transposed + at));
    }
    return sum;
  }

  void write_queries(int64_t row, int64_t rows) const {
    transpose_words(scratch_.grad_queries, kTileRows, width_, rows, scratch_.grad_query_rows, stride_);
    for (int64_t r = 0; r < rows; r++) write(scratch_.grad_query_rows + r * stride_, row + r, 0);
  }

  void write_columns(int64_t begin, int64_t end) const {
    for (int64_t j = begin; j < end; j++) {
      write(scratch_.grad_keys + j * stride_, j, 1);
      write(scratch_.grad_values + j * stride_, j, 2);
    }
  }

  /// One row of dQ (which = 0), dK (1) or dV (2). The row in scratch is scaled in place.
  void write(float* x, int64_t token, int64_t which) const {
    T* out = static_cast<T*>(p_.grad_qkv) + at(token, which);
    if (which < 2 && rotary_.table) {
      convert_row(x, width_, x, p_.scale);
      rotate<false>(rotary_, offset_ + token, width_, x, out);
    } else {
      convert_row(x, width_, out, which < 2 ? p_.scale : 1.0f);
    }
  }

  const AttentionBackward& p_;
  const BackwardScratch<T>& scratch_;
  int64_t head_, offset_, length_, context_, width_, stride_, token_stride_;
  Rotary rotary_;
  HeadDropout dropout_;
};

template <class T>
int64_t scratch_bytes(const AttentionBackward& p) {
  Carver counter(nullptr);
  BackwardScratch<T>(counter, p.layout.longest, packed_stride<T>(p.head_width));
  return counter.bytes();
}

/// Whether whole heads keep the threads busy enough that cutting them, which computes S and dP twice, would
/// not pay.
bool whole_heads(const PackedLayout& layout, int64_t heads, int threads) {
  int64_t pieces = layout.examples * heads, rounds = (pieces + threads - 1) / threads;
  return threads == 1 || 5 * rounds * threads <= 7 * pieces;
}

template <class T>
void attend_backward(const Parallel& parallel, const AttentionBackward& p) {
  bool whole = whole_heads(p.layout, p.heads, parallel.threads());
  Pieces pieces(p.layout, p.heads,
                whole ? round_up(larger(p.layout.longest, 1), kTileRows)
                      : piece_length(p.layout, p.heads, parallel.threads(), kTileRows));
  int64_t slot_bytes = scratch_bytes<T>(p);
  Carver carver(p.workspace);
  char* memory = carver.take<char>(parallel.threads() * slot_bytes);
  share_out(parallel, whole ? pieces.count() : 2 * pieces.count(), [&](int64_t slot, int64_t index) {
    Piece piece = pieces[index % pieces.count()];
    Carver slot_carver(memory + slot * slot_bytes);
    BackwardScratch<T> scratch(slot_carver, p.layout.longest, packed_stride<T>(p.head_width));
    HeadBackward<T> head(p, piece.example, piece.head, scratch);
    head.pack_columns(0, head.length());
    if (index < pieces.count()) {
      head.columns(piece.begin, piece.end, whole);
    } else {
      head.rows(piece.begin, piece.end);
    }
  });
}

}  // namespace
}  // namespace attention

void CpuKernels::run(const AttentionBackward& p) {
  if (p.dtype == DType::kBFloat16) {
    attention::attend_backward<bfloat16>(parallel_, p);
  } else {
    attention::attend_backward<float>(parallel_, p);
  }
}

size_t CpuKernels::workspace_bytes(const AttentionBackward& p) const {
  int64_t slot = p.dtype == DType::kBFloat16 ? attention::scratch_bytes<bfloat16>(p)
                                             : attention::scratch_bytes<float>(p);
  return static_cast<size_t>(64 + parallel_.threads() * slot);
}

}  // namespace glm::GLM_ISA
