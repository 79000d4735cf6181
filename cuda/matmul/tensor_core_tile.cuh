#pragma once

// A warp's piece of a product on tensor cores: bfloat16 operands from tiles in shared memory by ldmatrix,
// float32 sums in registers.

#include "device/tensor_core.cuh"
#include "matmul/block_shape.cuh"
#include "matmul/slab.cuh"

namespace glm::cuda {

/// Where a lane finds, for ldmatrix, 16 rows or columns of the product by 16 of the depth. Of the four 8 × 8
/// matrices, `kDepthFirst` has the depth's second half as number 1 (as B wants it), else as number 2 (A).
template <class Tile, bool kDepthMajor, bool kDepthFirst>
class Fragments {
 public:
  __device__ Fragments(int extent, int lane) {
    int first = lane >> 3 & 1, second = lane >> 4, row = lane & 7;
    int depth_half = kDepthFirst ? first : second, extent_half = kDepthFirst ? second : first;
    place_ = kDepthMajor ? Tile::place(depth_half * 8 + row, extent / 8 + extent_half)
                         : Tile::place(extent + extent_half * 8 + row, depth_half);
  }

  /// Number `extent` and `depth` in sixteens. Where 16 elements are a pair of chunks, they may be counted by
  /// exclusive or, as chunks are exchanged.
  __device__ void load(uint32_t (&matrices)[4], uint32_t tile, int extent, int depth) const {
    int across = kDepthMajor ? extent : depth, down = kDepthMajor ? depth : extent;
    load_matrices<kDepthMajor>(matrices, tile + (place_ ^ static_cast<uint32_t>(across * 32)) +
                                             static_cast<uint32_t>(down * 16 * Tile::kRowBytes));
  }

 private:
  uint32_t place_;
};

template <class ShapeType, bool kDepthMajorOfA, bool kDepthMajorOfB>
class TensorCoreTile {
 public:
  using Shape = ShapeType;
  static constexpr bool kDepthMajorA = kDepthMajorOfA, kDepthMajorB = kDepthMajorOfB;
  using TileA = OperandTile<Shape::kRows, Shape::kDepth, 2, kDepthMajorA>;
  using TileB = OperandTile<Shape::kColumns, Shape::kDepth, 2, kDepthMajorB>;
  using WarpSlab = Slab<16, Shape::kColumnsOfWarp, 8>;
  static constexpr int kSlabs = Shape::kRowsOfWarp / 16;

  __device__ TensorCoreTile()
      : fragments_a_(Shape::row_of_warp(), Shape::lane()),
        fragments_b_(Shape::column_of_warp(), Shape::lane()) {}

  /// sums += the product of the tiles that lie there
  __device__ void multiply(const char* tile_a, const char* tile_b) {
    uint32_t at_a = shared_address(tile_a), at_b = shared_address(tile_b);
#pragma unroll
    for (int depth = 0; depth < Shape::kDepth / 16; depth++) {
      uint32_t a[kSlabs][4];
#pragma unroll
      for (int i = 0; i < kSlabs; i++) fragments_a_.load(a[i], at_a, i, depth);
#pragma unroll
      for (int j = 0; j < kPairs; j++) {
        uint32_t b[4];
        fragments_b_.load(b, at_b, j, depth);
#pragma unroll
        for (int i = 0; i < kSlabs; i++) {
          multiply_add(sums_[i][2 * j], a[i], b[0], b[1]);
          multiply_add(sums_[i][2 * j + 1], a[i], b[2], b[3]);
        }
      }
    }
  }

  /// Row r of slab `i` is row 16 i + r of the warp's piece.
  __device__ void write(const WarpSlab& slab, int i) const {
    int row = Shape::lane() / 4, column = Shape::lane() % 4 * 2;
#pragma unroll
    for (int j = 0; j < 2 * kPairs; j++) {
      const float(&sum)[4] = sums_[i][j];
      *reinterpret_cast<float2*>(&slab.at(row, 8 * j + column)) = {sum[0], sum[1]};
      *reinterpret_cast<float2*>(&slab.at(row + 8, 8 * j + column)) = {sum[2], sum[3]};
    }
  }

 private:
  static constexpr int kPairs = Shape::kColumnsOfWarp / 16;

  Fragments<TileA, kDepthMajorA, false> fragments_a_;
  Fragments<TileB, kDepthMajorB, true> fragments_b_;
  float sums_[kSlabs][2 * kPairs][4] = {};
};

}  // namespace glm::cuda
