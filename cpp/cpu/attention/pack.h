#pragma once

// Rows of one head on the way in (widened, rotated, transposed, paired) and out (rounded, rotated back).

#include "cpu/attention/rotary.h"
#include "cpu/attention/shuffle.h"

namespace glm::GLM_ISA::attention {

/// out = scale · x for one row.
template <class Out, class In>
GLM_INLINE void convert_row(const In* x, int64_t width, Out* out, float scale = 1.0f) {
  int64_t d = 0;
  for (; d + kLanes <= width; d += kLanes) store_elements(out + d, load(x + d) * scale);
  if (d < width) store_some(out + d, load_some(x + d, width - d) * scale, width - d);
}
template <class T>
GLM_INLINE void copy_row(const T* x, int64_t width, T* out) {
  std::memcpy(out, x, static_cast<size_t>(width) * sizeof(T));
}
GLM_INLINE void copy_row(const bfloat16* x, int64_t width, float* out) { convert_row(x, width, out); }

template <class Element>
void zero_rows(Element* out, int64_t rows, int64_t stride) {
  std::memset(static_cast<void*>(out), 0, static_cast<size_t>(rows * stride) * sizeof(Element));
}

/// out[r][·] = x[r][·], rotated where there is a table, zero from `width` to `stride`.
/// x: rows of `width` elements, `x_stride` apart, the first of them token `token`.
template <class T, class Element>
void pack_rows(const T* x, int64_t x_stride, int64_t rows, int64_t width, const Rotary& rotary, int64_t token,
               Element* out, int64_t stride) {
  for (int64_t r = 0; r < rows; r++, x += x_stride, out += stride) {
    if (rotary.table) {
      rotate<true>(rotary, token + r, width, x, out);
    } else {
      copy_row(x, width, out);
    }
    if (width < stride) zero_rows(out + width, 1, stride - width);
  }
}

/// out[u][r] = x[r][u] for 32-bit words. Works on whole blocks: both arrays have room for rows and words
/// rounded up to kLanes.
inline void transpose_words(const void* x, int64_t x_stride, int64_t rows, int64_t words, void* out,
                            int64_t stride) {
  const float* from = static_cast<const float*>(x);
  float* to = static_cast<float*>(out);
  for (int64_t r = 0; r < rows; r += kLanes) {
    for (int64_t u = 0; u < words; u += kLanes) {
      Floats block[kLanes];
      for (int i = 0; i < kLanes; i++) block[i] = load(from + (r + i) * x_stride + u);
      transpose_lanes(block);
      for (int i = 0; i < kLanes; i++) store(to + (u + i) * stride + r, block[i]);
    }
  }
}

/// Units along the rows: out[r / 2][d] = (x[r][d], x[r + 1][d]); a last odd row is paired with zeros.
inline void pair_rows(const bfloat16* x, int64_t rows, int64_t stride, Pair* out) {
  const bfloat16 zeros[kLanes] = {};
  for (int64_t r = 0; r < rows; r += 2) {
    const bfloat16* even = x + r * stride;
    for (int64_t d = 0; d < stride; d += kLanes) {
      // The upper half of a widened bfloat16 is the bfloat16.
      Ints first = reinterpret_cast<Ints>(load(even + d));
      Ints second = reinterpret_cast<Ints>(load(r + 1 < rows ? even + stride + d : zeros));
      Ints pairs = second | (first >> 16 & 0xffff);
      std::memcpy(out + d, &pairs, sizeof pairs);
    }
    out += stride;
  }
}

}  // namespace glm::GLM_ISA::attention
