#pragma once

// A warp's sums go to memory by way of shared memory: as they lie in registers, a store would touch many
// lines for a few bytes each. A slab is some rows of them, kRows × kColumns, in which each warp then finds
// four neighbours for each lane, and neighbouring lanes along a row.

#include "device/pack.cuh"

namespace glm::cuda {

/// `kPad` more floats in a row keep the lanes that write, as their sums lie, out of each other's banks.
template <int kRowCount, int kColumnCount, int kPad>
struct Slab {
  static constexpr int kRows = kRowCount, kColumns = kColumnCount, kStride = kColumns + kPad;
  static constexpr int kFloats = kRows * kStride;
  static constexpr int kLanesOfRow = kColumns / 4;

  float* values;  // of this warp alone

  __device__ float& at(int row, int column) const { return values[row * kStride + column]; }

  /// Calls visit(row, column) for each four neighbours, on some lane of the warp.
  template <class Visit>
  __device__ void for_each_four(int lane, const Visit& visit) const {
    for (int row = lane / kLanesOfRow; row < kRows; row += 32 / kLanesOfRow) visit(row, column_of(lane));
  }
  /// The column that a lane has in all its rows.
  __device__ static int column_of(int lane) { return lane % kLanesOfRow * 4; }
};

}  // namespace glm::cuda
