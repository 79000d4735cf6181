#pragma once

#include "attention/rotary.cuh"
#include "device/element.cuh"

namespace glm::cuda::attention {

/// One head of Q, K, V, O or a gradient within one example.
template <class T>
struct HeadRows {
  T* data;         // of row 0
  int64_t stride;  // between rows
  int32_t length, width;
  int64_t offset = 0;  // the token that row 0 is, …
  Rotary rotary{};     // … where its positions turn the rows

  /// The element, turned; zero outside.
  __device__ float at(int row, int d) const {
    if (row >= length || d >= width) return 0;
    const T* x = data + row * stride;
    if (rotary.table == nullptr) return load(x + d);
    int quarter = width / 4, half = d >= 2 * quarter, j = d - half * 2 * quarter;
    bool second = j >= quarter;
    if (second) j -= quarter;
    float a = load(x + half * 2 * quarter + j), b = load(x + half * 2 * quarter + j + quarter);
    rotate(rotary.turn(offset + row, half, j, quarter), a, b);
    return second ? b : a;
  }
};

}  // namespace glm::cuda::attention
