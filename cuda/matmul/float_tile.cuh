#pragma once

// A warp's piece of a product in float32: 8 × 4 lanes, each with kRowsOfLane × kColumnsOfLane sums in
// registers, operands in pieces of 16 bytes from tiles in shared memory.

#include "matmul/block_shape.cuh"
#include "matmul/slab.cuh"

namespace glm::cuda {

/// The rows (or columns) of a warp's piece that one of kLanes lanes has, and their elements. Depth-major, the
/// lane's are groups of four neighbours; else every kLanes-th, because neighbouring rows of a tile have a
/// chunk in different banks.
template <class Tile, bool kDepthMajor, int kLanes, int kCount>
class Strip {
 public:
  __device__ Strip(int extent, int lane) : extent_(extent), lane_(lane) {}

  /// Number i of the lane's, counted in the warp's piece.
  __device__ static constexpr int index(int lane, int i) {
    return kDepthMajor ? i / 4 * 4 * kLanes + lane * 4 + i % 4 : i * kLanes + lane;
  }

  static constexpr int kGroup = kCount < 4 ? kCount : 4;

  /// Elements of four steps of the depth, beginning at 4 · `depth`, of the lane's rows from number `first`
  /// on.
  __device__ void load(float (&values)[4][kGroup], const char* tile, int depth, int first) const {
#pragma unroll
    for (int i = 0; i < (kDepthMajor ? 4 : kGroup); i++) {
      int extent = extent_ + index(lane_, first);
      if constexpr (kDepthMajor) {
        float4 four = chunk(tile, 4 * depth + i, extent / 4);
        values[i][0] = four.x, values[i][1] = four.y, values[i][2] = four.z, values[i][3] = four.w;
      } else {
        float4 four = chunk(tile, extent + i * kLanes, depth);
        values[0][i] = four.x, values[1][i] = four.y, values[2][i] = four.z, values[3][i] = four.w;
      }
    }
  }

 private:
  __device__ static float4 chunk(const char* tile, int row, int chunk) {
    return *reinterpret_cast<const float4*>(tile + Tile::place(row, chunk));
  }

  int extent_, lane_;
};

template <class ShapeType, bool kDepthMajorOfA, bool kDepthMajorOfB>
class FloatTile {
 public:
  using Shape = ShapeType;
  static constexpr bool kDepthMajorA = kDepthMajorOfA, kDepthMajorB = kDepthMajorOfB;
  using TileA = OperandTile<Shape::kRows, Shape::kDepth, 4, kDepthMajorA>;
  using TileB = OperandTile<Shape::kColumns, Shape::kDepth, 4, kDepthMajorB>;
  static constexpr int kSlabRows = Shape::kRowsOfWarp < 32 ? Shape::kRowsOfWarp : 32;
  using WarpSlab = Slab<kSlabRows, Shape::kColumnsOfWarp, 4>;
  static constexpr int kSlabs = Shape::kRowsOfWarp / kSlabRows;

  __device__ FloatTile()
      : strip_a_(Shape::row_of_warp(), lane_row()), strip_b_(Shape::column_of_warp(), lane_column()) {}

  /// sums += the product of the tiles that lie there
  __device__ void multiply(const char* tile_a, const char* tile_b) {
#pragma unroll 2  // more at once would need more registers
    for (int depth = 0; depth < Shape::kDepth / 4; depth++) {
      float a[kGroupsA][4][StripA::kGroup];
#pragma unroll
      for (int i = 0; i < kGroupsA; i++) strip_a_.load(a[i], tile_a, depth, i * StripA::kGroup);
#pragma unroll
      for (int j = 0; j < kColumnsOfLane; j += StripB::kGroup) {
        float b[4][StripB::kGroup];
        strip_b_.load(b, tile_b, depth, j);
#pragma unroll
        for (int step = 0; step < 4; step++) {
#pragma unroll
          for (int i = 0; i < kRowsOfLane; i++) {
#pragma unroll
            for (int column = 0; column < StripB::kGroup; column++)
              sums_[i][j + column] += a[i / StripA::kGroup][step][i % StripA::kGroup] * b[step][column];
          }
        }
      }
    }
  }

  /// Row r of slab `s` is row kSlabRows · s + r of the warp's piece.
  __device__ void write(const WarpSlab& slab, int s) const {
    constexpr int kRowsOfSlab = kRowsOfLane / kSlabs;
#pragma unroll
    for (int i = 0; i < kRowsOfSlab; i++) {
#pragma unroll
      for (int j = 0; j < kColumnsOfLane; j++)
        slab.at(StripA::index(lane_row(), i), StripB::index(lane_column(), j)) =
            sums_[s * kRowsOfSlab + i][j];
    }
  }

 private:
  static constexpr int kLaneRows = 8, kLaneColumns = 4;
  static constexpr int kRowsOfLane = Shape::kRowsOfWarp / kLaneRows;
  static constexpr int kColumnsOfLane = Shape::kColumnsOfWarp / kLaneColumns;
  using StripA = Strip<TileA, kDepthMajorA, kLaneRows, kRowsOfLane>;
  using StripB = Strip<TileB, kDepthMajorB, kLaneColumns, kColumnsOfLane>;

  static constexpr int kGroupsA = kRowsOfLane / StripA::kGroup;

  __device__ static int lane_row() { return Shape::lane() / kLaneColumns; }
  __device__ static int lane_column() { return Shape::lane() % kLaneColumns; }

  StripA strip_a_;
  StripB strip_b_;
  float sums_[kRowsOfLane][kColumnsOfLane] = {};
};

}  // namespace glm::cuda
