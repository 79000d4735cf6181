#pragma once

// A product with some rows of A, as in decoding of several sequences: the rows lie in the lanes of vectors,
// packed once as panels [depth, rows], and each element of B, which is read once and from where it lies, is
// broadcast and multiplied with all of them. So nothing is summed across lanes, and a step of the depth takes
// kColumns + kVectors loads for kColumns · kVectors multiply-adds.
//
// Work: 2 m n k operations, m rounded up to whole vectors. Memory traffic: n · k elements of B once; a part
// of A, which fits the first-level cache, for every tile of columns. Half types of B are widened a tile at a
// time.
//
// An element of C adds its products in the order of the depth, so that a row has the same bits among any
// others.

#include <type_traits>

#include "cpu/gemm/gemm.h"

namespace glm::GLM_ISA {

namespace thin {

constexpr int64_t kPart = 256;   // of the depth: with 16 rows, 16 KB of A
constexpr int kMostVectors = 4;  // of rows in a panel of A

/// How many vectors of rows are multiplied at once.
inline int vectors_of(const Product& p) {
  int64_t vectors = divide_up(p.m, kLanes);
  return vectors < kMostVectors ? static_cast<int>(vectors) : kMostVectors;
}

/// A as panels [depth, rows] of so many vectors of rows.
inline int64_t panel_floats(const Product& p) { return round_up(p.m, vectors_of(p) * kLanes) * p.k; }

/// Columns of a tile: as many as make eight sums at least, which hides the latency of a multiply-add. They
/// divide kGroupColumns.
template <int kVectors>
constexpr int kColumnsOf = kVectors == 1   ? 8
                           : kVectors == 4 ? 2
                                           : 4;

/// What is asked for while a tile is computed: the next tile of B, with the bytes from row to row and from
/// element to element.
struct NextTile {
  const char* data;
  int64_t stride, element;
};

/// sums[kColumns, rows] += Σ over the depth of b[column, k] · a[k, rows]
template <int kVectors, int kColumns>
__attribute__((noinline)) void multiply_tile(const float* a, const float* b, int64_t b_stride, int64_t depth,
                                             NextTile next, float* sums) {
  constexpr int64_t kRows = kVectors * kLanes, kLine = 16;
  Floats sum[kColumns][kVectors];
#pragma GCC unroll 8
  for (int column = 0; column < kColumns; column++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) sum[column][v] = load(sums + column * kRows + v * kLanes);
  }
  auto step = [&](int64_t k) __attribute__((always_inline)) {
    Floats rows[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) rows[v] = load(a + k * kRows + v * kLanes);
#pragma GCC unroll 8
    for (int column = 0; column < kColumns; column++) {
      Floats weight = broadcast(b[column * b_stride + k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v++) sum[column][v] += weight * rows[v];
    }
  };
  int64_t k = 0;
  for (; k + kLine <= depth; k += kLine) {
#pragma GCC unroll 8
    for (int column = 0; column < kColumns; column++)
      __builtin_prefetch(next.data + column * next.stride + k * next.element, 0, 2);
#pragma GCC unroll 4
    for (int64_t i = 0; i < kLine; i++) step(k + i);
  }
  for (; k < depth; k++) step(k);
#pragma GCC unroll 8
  for (int column = 0; column < kColumns; column++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) store(sums + column * kRows + v * kLanes, sum[column][v]);
  }
}

/// sums[columns, rows] += a part of the depth; B goes on at `behind` after its last column.
template <int kVectors, class T>
void multiply_part(const float* a, const T* b, int64_t b_stride, int64_t depth, int64_t columns,
                   const T* behind, float* sums) {
  constexpr int kColumns = kColumnsOf<kVectors>;
  constexpr int64_t kRows = kVectors * kLanes;
  auto multiply = [&](auto count, int64_t column) {
    constexpr int kCount = decltype(count)::value;
    const T* tile = b + column * b_stride;
    const T* next = column + kCount < columns ? tile + kCount * b_stride : behind;
    NextTile ahead{reinterpret_cast<const char*>(next), b_stride * int64_t{sizeof(T)}, sizeof(T)};
    if constexpr (std::is_same_v<T, float>) {
      multiply_tile<kVectors, kCount>(a, tile, b_stride, depth, ahead, sums + column * kRows);
    } else {
      float wide[kCount * kPart];
      for (int j = 0; j < kCount; j++) {
        for (int64_t k = 0; k < depth; k += kLanes)
          store(wide + j * kPart + k, load_upto(tile + j * b_stride + k, depth - k));
      }
      multiply_tile<kVectors, kCount>(a, wide, kPart, depth, ahead, sums + column * kRows);
    }
  };
  int64_t column = 0;
  for (; column + kColumns <= columns; column += kColumns)
    multiply(std::integral_constant<int, kColumns>{}, column);
  for (; column < columns; column++) multiply(std::integral_constant<int, 1>{}, column);
}

/// block[row, column] = sums[column, row] for `rows` rows and kGroupColumns columns.
template <int kVectors>
void transpose_sums(const float* sums, int64_t rows, float* block) {
  for (int64_t row = 0; row < rows; row += kLanes) {
    for (int64_t column = 0; column < kGroupColumns; column += kLanes) {
      Floats v[kLanes];
      for (int i = 0; i < kLanes; i++) v[i] = load(sums + (column + i) * kVectors * kLanes + row);
      packing::transpose(v);
      for (int64_t i = 0; i < kLanes && row + i < rows; i++)
        store(block + (row + i) * kGroupColumns + column, v[i]);
    }
  }
}

/// activation(A) as panels [depth, rows] of kVectors vectors of rows.
template <int kVectors, class T>
void pack_panels(const Parallel& parallel, const Product& p, float* panels) {
  constexpr int64_t kRows = kVectors * kLanes;
  parallel.ranges(p.k, kPart, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < p.m; row += kRows) {
      int64_t rows = p.m - row < kRows ? p.m - row : kRows;
      pack<kRows, float, T>(p.a, row, rows, begin, end, panels + row * p.k + begin * kRows);
    }
  });
}

/// Multiplies columns [begin, end) with `panels`, all rows of A packed, and hands them to `finish`.
template <int kVectors, class T, class Finish>
void multiply_lanes(const Product& p, const float* panels, int64_t begin, int64_t end, const Finish& finish) {
  constexpr int64_t kRows = kVectors * kLanes;
  float block[kThinRows * kGroupColumns];
  for (int64_t column = begin; column < end; column += kGroupColumns) {
    int64_t columns = end - column < kGroupColumns ? end - column : kGroupColumns;
    const T* b = static_cast<const T*>(p.b.data) + column * p.b.stride;
    for (int64_t row = 0; row < p.m; row += kRows) {
      float sums[kGroupColumns * kRows] = {};
      for (int64_t k = 0; k < p.k; k += kPart) {
        int64_t depth = p.k - k < kPart ? p.k - k : kPart;
        const T* behind = k + kPart < p.k ? b + k + kPart : b + columns * p.b.stride;
        multiply_part<kVectors>(panels + row * p.k + k * kRows, b + k, p.b.stride, depth, columns, behind,
                                sums);
      }
      transpose_sums<kVectors>(sums, p.m - row < kRows ? p.m - row : kRows, block + row * kGroupColumns);
    }
    finish(block, column, columns);
  }
}

}  // namespace thin

}  // namespace glm::GLM_ISA
