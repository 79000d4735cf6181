#pragma once

// Who may attend to whom, in one place (GLM paper, section 2.1, "Part A tokens can attend to each other …").
//
// An example of `length` tokens starts with its context (Part A, `context` tokens, seen by everyone in both
// directions); the spans (Part B) follow and are seen from left to right. Token i sees token j iff
//
//     j < context  ||  j <= i
//
// Attention works on tiles of rows [row_begin, row_end) and columns [column_begin, column_end). A tile is
// empty (skipped), full (no mask arithmetic) or on the border (masked element by element).

#include <cstdint>

#include "base/host_device.h"

namespace glm {

GLM_HOST_DEVICE constexpr bool visible(int64_t row, int64_t column, int64_t context) {
  return column < context || column <= row;
}

/// One past the last column that any row below `row_end` sees; columns from here on are empty for the tile.
GLM_HOST_DEVICE constexpr int64_t visible_columns(int64_t row_end, int64_t context) {
  return row_end > context ? row_end : context;
}

/// The first row that sees `column`; rows before it don't.
GLM_HOST_DEVICE constexpr int64_t first_visible_row(int64_t column, int64_t context) {
  return column < context ? 0 : column;
}

/// Whether every row from `row_begin` on sees every column before `column_end`.
GLM_HOST_DEVICE constexpr bool tile_is_full(int64_t row_begin, int64_t column_end, int64_t context) {
  return column_end <= context || column_end <= row_begin + 1;
}

}  // namespace glm
