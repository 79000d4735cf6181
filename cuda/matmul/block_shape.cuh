#pragma once

// How a block of threads shares out its tile of a product: kRows × kColumns of the result in kWarpRows ×
// kWarpColumns equal pieces, one per warp; the depth goes by in steps of kDepth elements, which are copied
// kStages - 1 steps ahead. Registers are for kBlocks blocks on a multiprocessor.

#include <cstdint>

#include "base/half.h"
#include "matmul/shared_tile.cuh"

namespace glm::cuda {

template <class ElementType, int kRowCount, int kColumnCount, int kDepthCount, int kWarpRowCount,
          int kWarpColumnCount, int kStageCount, int kBlockCount>
struct BlockShape {
  using Element = ElementType;
  static constexpr int kRows = kRowCount, kColumns = kColumnCount, kDepth = kDepthCount;
  static constexpr int kWarpRows = kWarpRowCount, kWarpColumns = kWarpColumnCount;
  static constexpr int kThreads = 32 * kWarpRows * kWarpColumns;
  static constexpr int kStages = kStageCount;
  static constexpr int kBlocks = kBlockCount;
  /// Of the result, per warp.
  static constexpr int kRowsOfWarp = kRows / kWarpRows, kColumnsOfWarp = kColumns / kWarpColumns;
  static constexpr int kStageBytes = (kRows + kColumns) * kDepth * static_cast<int>(sizeof(Element));

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / 32; }
  /// Where the warp's piece begins in the tile.
  __device__ static int row_of_warp() { return warp() / kWarpColumns * kRowsOfWarp; }
  __device__ static int column_of_warp() { return warp() % kWarpColumns * kColumnsOfWarp; }
};

// For each type a wide tile, which reads least; a small one for results that are; and a thin one for a few
// rows, which streams the other operand through. Stages are at most 48 KB, so that blocks share a
// multiprocessor even where it has 100 KB.

template <class Element>
struct Shapes;

template <>
struct Shapes<bfloat16> {
  using Wide = BlockShape<bfloat16, 128, 128, 32, 2, 2, 3, 2>;
  using Small = BlockShape<bfloat16, 64, 64, 32, 2, 2, 4, 3>;
  using Thin = BlockShape<bfloat16, 16, 64, 64, 1, 4, 4, 4>;
};

template <>
struct Shapes<float> {
  using Wide = BlockShape<float, 128, 64, 16, 2, 2, 3, 3>;
  using Small = BlockShape<float, 64, 64, 16, 2, 2, 4, 3>;
  using Thin = BlockShape<float, 16, 128, 16, 1, 4, 4, 4>;
};

}  // namespace glm::cuda
