#pragma once

// What becomes of a finished product: functors that a kernel calls with each slab of it, in shared memory, at
// row `row` and column `column` of `columns`. The slab is the warp's own.

#include "backend/params.h"
#include "device/pack.cuh"
#include "matmul/activate.cuh"
#include "matmul/slab.cuh"

namespace glm::cuda {

/// The part of the result that a slab falls on.
struct Place {
  int64_t row, rows;  // the slab's first, and how many the result has
  int64_t column, columns;
  bool whole;  // rows of the result begin at multiples of four elements

  __device__ bool has_row(int of_slab) const { return row + of_slab < rows; }
  __device__ int64_t columns_from(int of_slab) const { return columns - column - of_slab; }
  __device__ int64_t index(int row_of_slab, int column_of_slab) const {
    return (row + row_of_slab) * columns + column + column_of_slab;
  }
};

/// c = or += product, in float32; with several parts of the depth, each to a matrix of its own.
struct ToFloat {
  static constexpr bool kOfTensorCores = true;

  float* c;  // [parts, rows, stride]
  int64_t stride;
  bool accumulate;

  template <class WarpSlab>
  __device__ __forceinline__ void operator()(const WarpSlab& slab, const Place& place, int lane) const {
    float* part = c + static_cast<int64_t>(blockIdx.z) * place.rows * stride;
    bool whole = stride % 4 == 0;
    slab.for_each_four(lane, [&](int row, int column) {
      int64_t count = place.columns_from(column);
      if (!place.has_row(row) || count <= 0) return;
      Pack<4> sum = load_pack<4>(&slab.at(row, column));
      float* at = part + (place.row + row) * stride + place.column + column;
      if (accumulate) sum = sum + load_upto<4>(at, count, whole);
      store_upto(at, sum, count, whole);
    });
  }
};

/// y = dropout(product + bias) + residual
template <class T>
struct ForwardEpilogue {
  static constexpr bool kOfTensorCores = sizeof(T) == 2;  // float32 activations are multiplied as such

  const float* bias;  // or null
  const T* residual;  // or null; may be y
  T* y;
  Dropout dropout;

  template <class WarpSlab>
  __device__ __forceinline__ void operator()(const WarpSlab& slab, const Place& place, int lane) const {
    if (dropout.active()) {
      drop(slab, place, lane);
      __syncwarp();
    }
    Pack<4> to_add = {};  // with dropout it has been
    if (bias != nullptr && !dropout.active()) {
      int64_t first = place.column + WarpSlab::column_of(lane);
      to_add = load_upto<4>(bias + first, place.columns - first, place.whole);
    }
    slab.for_each_four(lane, [&](int row, int column) {
      int64_t count = place.columns_from(column);
      if (!place.has_row(row) || count <= 0) return;
      Pack<4> sum = load_pack<4>(&slab.at(row, column));
      int64_t at = place.index(row, column);
      sum = sum + to_add;
      if (residual != nullptr) sum = sum + load_upto<4>(residual + at, count, place.whole);
      store_upto(y + at, sum, count, place.whole);
    });
  }

 private:
  /// slab = dropout(slab + bias). A counter decides four elements, 16 apart in a block of 64, so a lane takes
  /// these: the blocks that a row of the slab lies in, one where the rows of y are whole blocks, else two.
  template <class WarpSlab>
  __device__ __forceinline__ void drop(const WarpSlab& slab, const Place& place, int lane) const {
    int blocks = place.columns % 64 == 0 ? 1 : 2;
    for (int i = lane; i < WarpSlab::kRows * 16 * blocks; i += 32) {
      int row = i / (16 * blocks), block = i / 16 % blocks;
      if (!place.has_row(row)) continue;
      int64_t first = place.index(row, 0);
      int64_t counter = ((first >> 6) + block) << 4 | (i & 15);
      Philox4 words = philox(dropout.seed, static_cast<uint64_t>(counter), dropout.site);
#pragma unroll
      for (int word = 0; word < 4; word++) {
        // The element of this counter and word, as dropout_draw counts.
        int64_t column = (((first >> 6) + block) << 6) + word * 16 + (i & 15) - first;
        if (column < 0 || column >= WarpSlab::kColumns || place.columns_from(static_cast<int>(column)) <= 0)
          continue;
        float& sum = slab.at(row, static_cast<int>(column));
        if (bias != nullptr) sum += bias[place.column + column];
        sum *= words.word[word] < dropout.threshold ? 0.0f : dropout.scale;
      }
    }
  }
};

/// grad_x = or += product ∘ activation'(x)
template <class T>
struct GradInputEpilogue {
  static constexpr bool kOfTensorCores = sizeof(T) == 2;  // float32 activations are multiplied as such

  Activation activation;
  const T* x;
  T* grad_x;
  bool accumulate;

  template <class WarpSlab>
  __device__ __forceinline__ void operator()(const WarpSlab& slab, const Place& place, int lane) const {
    slab.for_each_four(lane, [&](int row, int column) {
      int64_t count = place.columns_from(column);
      if (!place.has_row(row) || count <= 0) return;
      Pack<4> sum = load_pack<4>(&slab.at(row, column));
      int64_t at = place.index(row, column);
      if (activation != Activation::kNone) {
        Pack<4> input = load_upto<4>(x + at, count, place.whole);
#pragma unroll
        for (int i = 0; i < 4; i++) sum.x[i] *= activation_derivative(activation, input.x[i]);
      }
      if (accumulate) sum = sum + load_upto<4>(grad_x + at, count, place.whole);
      store_upto(grad_x + at, sum, count, place.whole);
    });
  }
};

}  // namespace glm::cuda
