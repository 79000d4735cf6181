#pragma once

// The linear layer on few rows, as decoding has them: y[r] = activation(x[r]) · weightᵀ + bias + residual[r].
//
// The weights are read once, as they lie in memory, and nothing of them is copied: with one row this is a
// matrix times a vector at the speed of the memory. Four outputs by up to four rows at a time, their sums in
// registers; x has been activated and widened to float32 once, and comes from the first- and second-level
// cache. Work: 2 · rows · in · out operations. Memory traffic: the weights. A sum is added up in the same
// order however many rows there are, so a row alone gets the bits that it gets among others.

#include "cpu/attention/shuffle.h"
#include "cpu/element_type.h"
#include "cpu/kernels.h"
#include "cpu/vector_math.h"

namespace glm::GLM_ISA {

constexpr int64_t kFewRows = 16;

GLM_INLINE bool has_few_rows(const LinearForward& p) { return p.rows <= kFewRows && !p.dropout.active(); }

namespace few_rows {

constexpr int kOutputs = 4;
constexpr int kRowsOfBlock = 4;

/// Elements from one row of the widened x to the next.
GLM_INLINE int64_t stride(const LinearForward& p) { return (p.in + kLanes - 1) / kLanes * kLanes; }

template <class T>
void widen(const LinearForward& p, int64_t row, float* out) {
  const T* x = static_cast<const T*>(p.x) + row * p.in;
  for (int64_t k = 0; k < p.in; k += kLanes) {
    Floats v = load_upto(x + k, p.in - k);
    if (p.activation == Activation::kGeluTanh) v = gelu_tanh(v);
    if (p.activation == Activation::kGeluErf) v = gelu_erf(v);
    store(out + k, keep_first(v, p.in - k < kLanes ? p.in - k : kLanes));
  }
}

/// Lane i of the result is the sum over the lanes of v[i].
GLM_INLINE Floats lane_sums(Floats (&v)[kLanes]) {
#pragma GCC unroll 16
  for (int left = kLanes / 2; left > 0; left /= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < left; i++) {
      v[i] = attention::even_lanes(v[2 * i], v[2 * i + 1]) + attention::odd_lanes(v[2 * i], v[2 * i + 1]);
    }
  }
  return v[0];
}

/// sums[r][o] = x[r] · w[o] for kRows rows and kOutputs outputs.
template <int kRows, class W>
GLM_INLINE void dot_block(const float* x, int64_t x_stride, const W* w, int64_t in,
                          float (&sums)[kRowsOfBlock][kOutputs]) {
  Floats acc[kRows][kOutputs] = {};
  auto step = [&](int64_t k, auto load_weights) __attribute__((always_inline)) {
    Floats column[kOutputs];
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) column[o] = load_weights(w + o * in + k);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      Floats row = load(x + r * x_stride + k);
#pragma GCC unroll 4
      for (int o = 0; o < kOutputs; o++) acc[r][o] += row * column[o];
    }
  };
  int64_t k = 0;
  for (; k + kLanes <= in; k += kLanes)
    step(
        k, [](const W* at) __attribute__((always_inline)) { return load(at); });
  if (k < in)
    step(
        k, [rest = in - k](const W* at) __attribute__((always_inline)) { return load_some(at, rest); });

  constexpr int kTotal = kRows * kOutputs;
  for (int first = 0; first < kTotal; first += kLanes) {
    Floats group[kLanes] = {};
    for (int i = 0; i < kLanes && first + i < kTotal; i++) {
      group[i] = acc[(first + i) / kOutputs][(first + i) % kOutputs];
    }
    float lanes[kLanes];
    store(lanes, lane_sums(group));
    for (int i = 0; i < kLanes && first + i < kTotal; i++) {
      sums[(first + i) / kOutputs][(first + i) % kOutputs] = lanes[i];
    }
  }
}

/// The same for a layer with fewer outputs than a block.
template <class W>
void few_outputs(const LinearForward& p, const float* x, int64_t rows, const W* w, int64_t count,
                 float (&sums)[kRowsOfBlock][kOutputs]) {
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t o = 0; o < count; o++) {
      Floats group[kLanes] = {};
      for (int64_t k = 0; k < p.in; k += kLanes) {
        group[0] += load(x + r * stride(p) + k) * load_upto(w + o * p.in + k, p.in - k);
      }
      float lanes[kLanes];
      store(lanes, lane_sums(group));
      sums[r][o] = lanes[0];
    }
  }
}

template <class T>
GLM_INLINE void put(T* out, float value) {
  if constexpr (sizeof(T) == sizeof(float)) {
    *out = value;
  } else {
    *out = to_bfloat16(value);
  }
}

/// Outputs [begin, end) of all rows.
template <class T, class W>
void outputs(const LinearForward& p, const float* x, int64_t begin, int64_t end) {
  const W* weight = static_cast<const W*>(p.weight);
  T* y = static_cast<T*>(p.y);
  const T* residual = static_cast<const T*>(p.residual);
  for (int64_t out = begin; out < end; out += kOutputs) {
    // The last outputs, if they are fewer than a block, are computed with some of their neighbours once more.
    int64_t first = out + kOutputs <= p.out ? out : (p.out > kOutputs ? p.out - kOutputs : 0);
    int64_t count = p.out - first < kOutputs ? p.out - first : kOutputs;
    for (int64_t row = 0; row < p.rows; row += kRowsOfBlock) {
      int64_t rows = p.rows - row < kRowsOfBlock ? p.rows - row : kRowsOfBlock;
      float sums[kRowsOfBlock][kOutputs];
      const float* from = x + row * stride(p);
      const W* w = weight + first * p.in;
      if (count < kOutputs) {
        few_outputs(p, from, rows, w, count, sums);
      } else if (rows == 4) {
        dot_block<4>(from, stride(p), w, p.in, sums);
      } else if (rows == 3) {
        dot_block<3>(from, stride(p), w, p.in, sums);
      } else if (rows == 2) {
        dot_block<2>(from, stride(p), w, p.in, sums);
      } else {
        dot_block<1>(from, stride(p), w, p.in, sums);
      }
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t o = out - first; o < count; o++) {
          int64_t at = (row + r) * p.out + first + o;
          float value = sums[r][o] + (p.bias != nullptr ? p.bias[first + o] : 0.0f);
          if (residual != nullptr) value += to_float(residual[at]);
          put(y + at, value);
        }
      }
    }
  }
}

}  // namespace few_rows

inline size_t few_rows_workspace_bytes(const LinearForward& p) {
  return static_cast<size_t>(p.rows * few_rows::stride(p)) * sizeof(float);
}

inline void linear_few_rows(const Parallel& parallel, const LinearForward& p) {
  float* x = static_cast<float*>(p.workspace);
  with_element_type(p.dtype, [&](auto activations) {
    using T = decltype(activations);
    parallel.ranges(p.rows, rows_per_piece(p.in), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) few_rows::widen<T>(p, row, x + row * few_rows::stride(p));
    });
    with_element_type(p.weight_dtype, [&](auto weights) {
      using W = decltype(weights);
      constexpr int64_t kElementsOfPiece = 1 << 15;
      int64_t grain = kElementsOfPiece / (p.in > 0 ? p.in : 1) / 4 * 4;
      parallel.ranges(p.out, grain < 4 ? 4 : grain,
                      [&](int64_t begin, int64_t end) { few_rows::outputs<T, W>(p, x, begin, end); });
    });
  });
}

}  // namespace glm::GLM_ISA
