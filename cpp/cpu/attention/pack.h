#pragma once

// Rows of one head on the way in (widened, rotated, transposed, paired) and out.

#include "cpu/attention/rotary.h"
#include "cpu/attention/units.h"

namespace glm::GLM_ISA::attention {

/// out[r][·] = x[r][·], rotated where there is a table, zero from `width` to `stride`.
/// x: rows of `width` elements, `x_stride` apart, the first of them token `token`.
template <class T, class Element>
void pack_rows(const T* x, int64_t x_stride, int64_t rows, int64_t width, const Rotary& rotary, int64_t token,
               Element* out, int64_t stride) {
  for (int64_t r = 0; r < rows; r++, x += x_stride, out += stride) {
    if (rotary.table) {
      rotate<true>(rotary, token + r, width, x, out);
    } else {
      for (int64_t d = 0; d < width; d++) convert(x[d], out[d]);
    }
    for (int64_t d = width; d < stride; d++) convert(0.0f, out[d]);
  }
}

template <class Element>
void zero_rows(Element* out, int64_t rows, int64_t stride) {
  std::memset(out, 0, static_cast<size_t>(rows * stride) * sizeof(Element));
}

/// out[u][r] = x[r][u] for 32-bit words.
inline void transpose_words(const void* x, int64_t x_stride, int64_t rows, int64_t words, void* out, int64_t stride) {
  const uint32_t* from = static_cast<const uint32_t*>(x);
  uint32_t* to = static_cast<uint32_t*>(out);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t u = 0; u < words; u++) to[u * stride + r] = from[r * x_stride + u];
  }
}

/// Units along the rows: out[r / 2][d] = (x[r][d], x[r + 1][d]); a last odd row is paired with zeros.
inline void pair_rows(const bfloat16* x, int64_t rows, int64_t stride, Pair* out) {
  for (int64_t r = 0; r < rows; r += 2) {
    const bfloat16* even = x + r * stride;
    const bfloat16* odd = even + stride;
    bool last = r + 1 == rows;
    for (int64_t d = 0; d < stride; d++) {
      out[d] = {even[d].bits | (last ? 0u : static_cast<uint32_t>(odd[d].bits) << 16)};
    }
    out += stride;
  }
}

}  // namespace glm::GLM_ISA::attention
