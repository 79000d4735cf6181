#pragma once

// A product with few rows of A, by dot products: every element of B is used m times only, so that packing it
// would cost more than it saves. B is read once, from where it lies, and the time is that of reading it (n ·
// k elements). A is converted once to words with its activation, rows padded to whole vectors; sums are
// vectors over the depth, added up across lanes at the end.

#include "cpu/gemm/gemm.h"

namespace glm::GLM_ISA {

namespace thin {

template <class Word>
constexpr int64_t kStep = kLanes* WordTraits<Word>::kDepth;  // elements of the depth in a vector

/// Words between the rows of converted A.
template <class Word>
int64_t row_words(const Product& p) {
  return divide_up(p.k, kStep<Word>) * kLanes;
}

constexpr bool kManyRegisters = kLanes >= 16;      // 32 of them rather than 16
constexpr int kMostRows = kManyRegisters ? 4 : 3;  // of A that are multiplied at once

/// How many rows to multiply at once when `left` are. With few registers, two pairs rather than three rows
/// and a single one, which takes as long; with many, a fourth row of zeros rather than two and one.
inline int rows_at_once(int64_t left) {
  if (kManyRegisters) return left > 2 ? kMostRows : static_cast<int>(left);
  if (left == 4) return 2;
  return left < kMostRows ? static_cast<int>(left) : kMostRows;
}

/// Rows of converted A, those of zeros included.
inline int64_t converted_rows(const Product& p) {
  return kManyRegisters && p.m > 2 ? round_up(p.m, kMostRows) : p.m;
}

/// activation(A) in words, zero beyond the depth and the last row.
template <class Word, class T>
void convert_rows(const Parallel& parallel, const Product& p, Word* rows) {
  parallel.parts(converted_rows(p), [&](int64_t row) {
    const T* from = static_cast<const T*>(p.a.data) + row * p.a.stride;
    Word* to = rows + row * row_words<Word>(p);
    if (row >= p.m) {
      std::memset(to, 0, static_cast<size_t>(row_words<Word>(p)) * sizeof(Word));
      return;
    }
    for (int64_t k = 0; k < p.k; k += kStep<Word>, to += kLanes) {
      Floats v = packing::load_depth<Word>(from + k, p.k - k);
      if (p.a.activation != Activation::kNone) packing::activate_words<Word>(p.a.activation, &v, 1);
      store_words(to, v);
    }
  });
}

/// Makes the compiler load `v` into a register now.
template <class Vector>
GLM_INLINE void settle([[maybe_unused]] Vector& v) {
#if defined(__x86_64__)
  __asm__("" : "+x"(v));
#endif
}

/// Lane i of the result is the sum over the lanes of v[i], for kCount vectors, a power of two: neighbouring
/// lanes first, in the same order for every count.
template <int kCount>
GLM_INLINE Floats sum_lanes(Floats (&v)[kCount]) {
  constexpr auto kAll = std::make_integer_sequence<int, kLanes>{};
  int count = kCount;
  auto fold = [&]<int kStep>(std::integral_constant<int, kStep>) __attribute__((always_inline)) {
    int pairs = count > 1 ? count / 2 : 1;
    for (int i = 0; i < pairs; i++) {
      Floats a = v[2 * i], b = v[count > 1 ? 2 * i + 1 : 2 * i];
      packing::exchange<kStep>(a, b, kAll);
      v[i] = a + b;
    }
    count = pairs;
  };
  fold(std::integral_constant<int, 1>{});
  fold(std::integral_constant<int, 2>{});
  if constexpr (kLanes > 4) fold(std::integral_constant<int, 4>{});
  if constexpr (kLanes > 8) fold(std::integral_constant<int, 8>{});
  return v[0];
}

/// What to fetch while a block is computed: B at the same place `distance` elements behind, in one step of
/// `every`, from step `first` on.
struct Ahead {
  int64_t distance;
  int every, first;
};
constexpr int kNever = 1 << 30;

/// Adds to block[row, column] the products of kRows of A and kColumns of B over a part of the depth. Each
/// result has two sums, of even and odd vectors, which hides the latency of a multiply-add well enough where
/// rows are few; always two, so that a row gets the same bits alone and among others.
template <int kRows, int kColumns, class Word, class T>
void multiply_block(const Word* a, int64_t a_words, const T* b, int64_t b_stride, int64_t depth,
                    const Ahead& ahead, float* block) {
  Floats sums[kColumns][kRows][2] = {};
  auto step = [&](int64_t k, int which, int64_t exist) __attribute__((always_inline)) {
    WordVector<Word> right[kColumns];
#pragma GCC unroll 2
    for (int column = 0; column < kColumns; column++)
      right[column] =
          reinterpret_cast<WordVector<Word>>(packing::load_depth<Word>(b + column * b_stride + k, exist));
#pragma GCC unroll 4
    for (int row = 0; row < kRows; row++) {
      WordVector<Word> left = load_words(a + row * a_words + k / WordTraits<Word>::kDepth);
      if constexpr (kColumns > 1 && !kManyRegisters) settle(left);  // else GCC loads it for each column
#pragma GCC unroll 2
      for (int column = 0; column < kColumns; column++)
        sums[column][row][which] = multiply_add(sums[column][row][which], left, right[column]);
    }
  };
  int64_t k = 0;
  int wait = ahead.first;
  for (; k + 2 * kStep<Word> <= depth; k += 2 * kStep<Word>) {
    if (wait-- == 0) {
      wait = ahead.every - 1;
#pragma GCC unroll 2
      for (int column = 0; column < kColumns; column++) {
        const char* behind = reinterpret_cast<const char*>(b + column * b_stride + k + ahead.distance);
        for (size_t line = 0; line < 2 * kStep<Word> * sizeof(T); line += 64)
          __builtin_prefetch(behind + line, 0, 2);
      }
    }
    step(k, 0, kStep<Word>);
    step(k + kStep<Word>, 1, kStep<Word>);
  }
  if (k < depth) step(k, 0, depth - k);
  if (k + kStep<Word> < depth) step(k + kStep<Word>, 1, depth - k - kStep<Word>);
#pragma GCC unroll 2
  for (int column = 0; column < kColumns; column++) {
    Floats totals[kRows == 3 ? 4 : kRows] = {};
#pragma GCC unroll 4
    for (int row = 0; row < kRows; row++) totals[row] = sums[column][row][0] + sums[column][row][1];
    Floats results = sum_lanes(totals);
    for (int row = 0; row < kRows; row++) block[row * kGroupColumns + column] += results[row];
  }
}

/// Columns of B that kRows of A are multiplied with at once: two read A half as often, where there are
/// registers for it.
template <int kRows>
constexpr int kColumnsAtOnce = kRows == kMostRows || (kRows == 2 && !kManyRegisters) ? 2 : 1;

/// All columns by kRows of A.
template <int kRows, class Word, class T>
void multiply_rows(const Word* a, int64_t a_words, const T* b, int64_t b_stride, int64_t depth,
                   int64_t columns, const Ahead& ahead, float* block) {
  constexpr int kColumns = kColumnsAtOnce<kRows>;
  int64_t j = 0;
  for (; j + kColumns <= columns; j += kColumns)
    multiply_block<kRows, kColumns>(a, a_words, b + j * b_stride, b_stride, depth, ahead, block + j);
  if (j < columns) multiply_block<kRows, 1>(a, a_words, b + j * b_stride, b_stride, depth, ahead, block + j);
}

/// block[rows, columns] = all rows of A by `columns` rows of B, a part of the depth at a time.
///
/// Few rows of A go along rows of B, and fetch a page ahead. More are taken a few at a time, which stay in
/// the first-level cache, by a piece of B, which after the first of them comes from the caches as well; what
/// is fetched is the piece behind, if there is one: spread over the work where vectors are short, else at
/// once.
template <class Word, class T>
void multiply_columns(const Word* a, int64_t rows, int64_t a_words, const T* b, int64_t b_stride,
                      int64_t depth, int64_t columns, bool are_last, float* block) {
  constexpr int64_t kPart = 1024 * WordTraits<Word>::kDepth;
  constexpr int64_t kPieceColumns = kManyRegisters ? kGroupColumns : 16;
  std::memset(block, 0, static_cast<size_t>(round_up(rows, 4) * kGroupColumns) * sizeof(float));
  bool are_few = rows <= kMostRows;
  int passes = static_cast<int>(divide_up(rows, kMostRows));
  int64_t piece_columns = are_few ? (rows == 1 ? 1 : 2) : kPieceColumns;
  for (int64_t column = 0; column < columns; column += piece_columns) {
    int64_t some = columns - column < piece_columns ? columns - column : piece_columns;
    for (int64_t k = 0; k < depth; k += kPart) {
      int64_t part = depth - k < kPart ? depth - k : kPart;
      bool is_last_part = k + kPart >= depth;
      bool is_last = are_last && is_last_part && column + some == columns;
      const Word* words = a + k / WordTraits<Word>::kDepth;
      const T* right = b + column * b_stride + k;
      Ahead ahead{is_last_part ? some * b_stride - k : kPart, kManyRegisters ? 1 : passes, 0};
      if (are_few) ahead.distance = 4096 / static_cast<int64_t>(sizeof(T));
      int at_once;
      for (int64_t row = 0, pass = 0; row < rows; row += at_once, pass++) {
        if (!are_few) ahead.first = is_last ? kNever : kManyRegisters ? (pass == 1 ? 0 : kNever) : pass;
        const Word* left = words + row * a_words;
        float* to = block + row * kGroupColumns + column;
        at_once = rows_at_once(rows - row);
        if (at_once == kMostRows) {
          multiply_rows<kMostRows>(left, a_words, right, b_stride, part, some, ahead, to);
        } else if (at_once == 2) {
          multiply_rows<2>(left, a_words, right, b_stride, part, some, ahead, to);
        } else {
          multiply_rows<1>(left, a_words, right, b_stride, part, some, ahead, to);
        }
      }
    }
  }
}

/// Multiplies columns [begin, end) with `rows`, all rows of A converted, and hands them to `finish`.
template <class Word, class T, class Finish>
void multiply_dots(const Product& p, const Word* rows, int64_t begin, int64_t end, const Finish& finish) {
  float block[kThinRows * kGroupColumns];
  for (int64_t column = begin; column < end; column += kGroupColumns) {
    int64_t columns = end - column < kGroupColumns ? end - column : kGroupColumns;
    const T* b = static_cast<const T*>(p.b.data) + column * p.b.stride;
    multiply_columns(rows, p.m, row_words<Word>(p), b, p.b.stride, p.k, columns, column + columns == end,
                     block);
    finish(block, column, columns);
  }
}

}  // namespace thin

}  // namespace glm::GLM_ISA
